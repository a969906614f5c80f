"""Downloading an encoder when asked to: the only file of the package that uses the network."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mgld.vision.resolve import (
    HUB_TEXT_FILES,
    hub_text_ids,
    is_weights_file,
    preprocess_fields,
    pretrained_config,
    resolve,
)


def fetch(spec: str) -> Path:
    """Download what `NAME:PRETRAINED` needs, by open_clip's own machinery into its own caches.

    Returns the weights file. Specs that are on this machine by nature (`nano`, folders, weights
    files) are only checked.

    Raises:
        ValueError: unknown names, with near matches.
        OSError: what cannot be downloaded.
    """
    name, _, pretrained = spec.partition(":")
    if not pretrained or Path(spec).is_dir() or is_weights_file(name, pretrained):
        return resolve(spec).weights
    model_cfg, tag_cfg = pretrained_config(name, pretrained)
    from huggingface_hub import constants, snapshot_download
    from open_clip.pretrained import download_pretrained

    texts = hub_text_ids(model_cfg)
    host = constants.ENDPOINT if tag_cfg.get("hf_hub") else tag_cfg["url"]
    try:
        if tag_cfg.get("hf_hub"):
            _require_hub()
        download_pretrained(tag_cfg)
        if texts:
            host = constants.ENDPOINT
            _require_hub()
        for hub_id in texts:
            snapshot_download(hub_id, allow_patterns=HUB_TEXT_FILES)
    except RuntimeError as error:  # open_clip's for a wrong checksum
        raise OSError(f"{spec}: {error}") from error
    except OSError as error:
        with suppress(FileNotFoundError):
            return resolve(spec).weights  # all of it was here before
        raise OSError(
            f"{spec} cannot be downloaded from {urlsplit(host).hostname} ({error}). "
            f"{_by_hand(spec, name, tag_cfg)}"
        ) from error
    return resolve(spec).weights


def _by_hand(spec: str, name: str, tag_cfg: dict[str, Any]) -> str:
    """How to get the weights here without their host, with the same vectors."""
    from huggingface_hub import constants
    from open_clip import list_models
    from open_clip.transform import PreprocessCfg

    if tag_cfg.get("hf_hub"):
        repo = tag_cfg["hf_hub"].rpartition("/")[0]
        cached = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}"
    else:
        cached = Path("~/.cache/clip").expanduser() / Path(tag_cfg["url"]).name
    # NAME:FILE knows neither the activation nor the preparation of images that the tag states.
    quick = f"{name.removesuffix('-quickgelu')}-quickgelu"
    named = quick if tag_cfg.get("quick_gelu") else name
    usual = asdict(PreprocessCfg())
    prepared = {**usual, **preprocess_fields(tag_cfg)}
    same = named in list_models() and json.dumps(prepared) == json.dumps(usual)
    file = f"; or write {named}:FILE for a weights file you have" if same else ""
    return (
        f"By hand: run `mgld encoder fetch {spec}` on a machine that reaches it and copy its "
        f"{cached} to here{file}; or use a checkpoint folder"
    )


def _require_hub() -> None:
    """ConnectionError where the Hub cannot be reached.

    Asked once, before the Hub's own client would try for half a minute per file.
    """
    import httpx2
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except httpx2.TransportError as error:
        raise ConnectionError(f"no connection: {error}") from error
