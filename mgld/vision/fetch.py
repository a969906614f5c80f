"""Downloading an encoder when asked to: the only file of the package that uses the network."""

from __future__ import annotations

from pathlib import Path

from mgld.vision.resolve import (
    HUB_TEXT_FILES,
    hub_text_ids,
    is_weights_file,
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
    from huggingface_hub import snapshot_download
    from open_clip.pretrained import download_pretrained

    try:
        download_pretrained(tag_cfg)
        for hub_id in hub_text_ids(model_cfg):
            snapshot_download(hub_id, allow_patterns=HUB_TEXT_FILES)
    except RuntimeError as error:  # open_clip's for a wrong checksum
        raise OSError(f"{spec}: {error}") from error
    return resolve(spec).weights
