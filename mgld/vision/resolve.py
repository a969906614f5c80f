"""From an encoder's spec to files on this machine, and nothing else: no network here.

Specs: `nano` (in the package), `NAME:PRETRAINED` (open_clip's names, or the path of a weights file
after the colon), or a folder in the format of `mgld.vision.checkpoint`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from mgld.vision.checkpoint import CONFIG_FILE, MERGES_FILE, WEIGHTS_FILE

# What a tokenizer or the configuration of a text tower on the Hub consists of, less the weights.
HUB_TEXT_FILES = ["*.json", "*.txt", "*.model", "*.tiktoken"]


@dataclass(frozen=True)
class ResolvedEncoder:
    """Everything that makes an encoder, found on this machine.

    Attributes:
        spec: as the user wrote it.
        model_cfg: open_clip's model configuration, the true `quick_gelu` in it.
        preprocess_cfg: the `PreprocessCfg` fields that the checkpoint sets.
        weights: the weights file.
        merges: the byte-level BPE of a folder that has its own, else None.
        tokenizer_folder: the local files of `text_cfg.hf_tokenizer_name`, where there is one.
        text_folder: the local files of `text_cfg.hf_model_name`, where there is one.
    """

    spec: str
    model_cfg: dict[str, Any]
    preprocess_cfg: dict[str, Any]
    weights: Path
    merges: Path | None = None
    tokenizer_folder: Path | None = None
    text_folder: Path | None = None


def resolve(spec: str) -> ResolvedEncoder:
    """Find the files of `spec` on this machine.

    Raises:
        ValueError: an unknown model or pretrained name (with near matches), a malformed folder.
        FileNotFoundError: files that are not here, with the command that gets them.
    """
    if spec == "nano":
        return _resolve_folder(spec, nano_folder())
    if spec and Path(spec).is_dir():
        return _resolve_folder(spec, Path(spec))
    if ":" not in spec:
        if "/" in spec or spec.startswith("."):
            raise FileNotFoundError(f"no encoder folder {spec!r}")
        raise ValueError(_without_weights(spec))
    name, pretrained = spec.split(":", 1)
    if is_weights_file(name, pretrained):
        model_cfg, weights = _model_config(name), Path(pretrained)
        tag_cfg: dict[str, Any] = {}
    else:
        model_cfg, tag_cfg = pretrained_config(name, pretrained)
        weights = _cached_weights(spec, tag_cfg)
    # open_clip 3.3 only warns where a tag was trained with QuickGELU and the name does not say so
    # (ViT-L-14-336:openai), and then computes something else than the checkpoint means.
    model_cfg["quick_gelu"] = model_cfg.get("quick_gelu", False) or tag_cfg.get("quick_gelu", False)
    text_cfg = model_cfg["text_cfg"]
    return ResolvedEncoder(
        spec,
        model_cfg,
        preprocess_fields(tag_cfg),
        weights,
        tokenizer_folder=_cached_folder(spec, text_cfg.get("hf_tokenizer_name")),
        text_folder=_cached_folder(spec, text_cfg.get("hf_model_name")),
    )


def nano_folder() -> Path:
    """Where the package keeps the embedded `nano` encoder."""
    return Path(str(resources.files("mgld.vision"))) / "nano"


def is_weights_file(name: str, pretrained: str) -> bool:
    """Whether what follows the colon is a file: open_clip's own tags go first."""
    import open_clip

    return not open_clip.get_pretrained_cfg(name, pretrained) and Path(pretrained).is_file()


def pretrained_config(name: str, pretrained: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """open_clip's model configuration and its entry for the pretrained tag.

    Raises ValueError with near matches for a name or a tag that open_clip does not have.
    """
    import open_clip

    model_cfg = _model_config(name)
    tag_cfg: dict[str, Any] = dict(open_clip.get_pretrained_cfg(name, pretrained))
    if not tag_cfg:
        tags = open_clip.list_pretrained_tags_by_model(name)
        near = difflib.get_close_matches(pretrained, tags, n=3, cutoff=0.4)
        hint = f"; did you mean {' or '.join(near)}?" if near else "."
        raise ValueError(
            f"open_clip has no weights {pretrained!r} for {name}{hint} "
            f"It has: {', '.join(tags) or 'none'}"
        )
    return model_cfg, tag_cfg


def preprocess_fields(tag_cfg: dict[str, Any]) -> dict[str, Any]:
    """The part of a pretrained tag's entry that says how images are prepared."""
    from open_clip.transform import merge_preprocess_dict

    fields: dict[str, Any] = merge_preprocess_dict({}, tag_cfg)
    return fields


def hub_text_ids(model_cfg: dict[str, Any]) -> list[str]:
    """Hub ids from which a model takes its tokenizer or its text tower's configuration."""
    text_cfg = model_cfg["text_cfg"]
    ids = {text_cfg.get("hf_tokenizer_name"), text_cfg.get("hf_model_name")}
    return sorted(hub_id for hub_id in ids if hub_id)


def _model_config(name: str) -> dict[str, Any]:
    import open_clip

    if name not in open_clip.list_models():  # get_model_config would take a Hub id to the network
        raise ValueError(_unknown_model(name))
    model_cfg: dict[str, Any] = open_clip.get_model_config(name)
    return model_cfg


def _without_weights(name: str) -> str:
    """What to say to a spec without a colon that is neither `nano` nor a folder."""
    import open_clip

    if name not in open_clip.list_models():
        return _unknown_model(name)
    tags = open_clip.list_pretrained_tags_by_model(name)
    specs = ", ".join(f"{name}:{tag}" for tag in tags)
    return f"encoder {name!r} does not say which weights: write {specs or f'{name}:FILE'}"


def _unknown_model(name: str) -> str:
    import open_clip

    near = difflib.get_close_matches(name, ["nano", *open_clip.list_models()], n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    return (
        f"unknown encoder {name!r}{hint} An encoder is 'nano', NAME:PRETRAINED as open_clip "
        "names them (ViT-L-14-336:openai), or a checkpoint folder"
    )


def _resolve_folder(spec: str, folder: Path) -> ResolvedEncoder:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is not an encoder folder: it has no {CONFIG_FILE}")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        model_cfg = config["model_cfg"]
        text_cfg = model_cfg["text_cfg"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not an open_clip configuration: {error!r}") from error
    # open_clip's older repositories on the Hub have a .bin, read with weights_only=True
    candidates = [
        WEIGHTS_FILE,
        "open_clip_pytorch_model.safetensors",
        "open_clip_pytorch_model.bin",
    ]
    weights = next((folder / name for name in candidates if (folder / name).is_file()), None)
    if weights is None:
        raise FileNotFoundError(f"{folder} has no weights: looked for {', '.join(candidates)}")
    merges = folder / MERGES_FILE
    return ResolvedEncoder(
        spec,
        model_cfg,
        dict(config.get("preprocess_cfg", {})),
        weights,
        merges if merges.is_file() else None,
        # open_clip's own rule: a folder whose configuration names a tokenizer carries its files
        tokenizer_folder=folder if text_cfg.get("hf_tokenizer_name") else None,
        text_folder=_cached_folder(spec, text_cfg.get("hf_model_name")),
    )


def _cached_weights(spec: str, tag_cfg: dict[str, Any]) -> Path:
    """Where open_clip's own download would have put the weights of a pretrained tag."""
    from huggingface_hub import constants, try_to_load_from_cache
    from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME

    if tag_cfg.get("hf_hub"):
        repo, _, name = tag_cfg["hf_hub"].rpartition("/")
        name = name or HF_WEIGHTS_NAME
        # safetensors first, as open_clip does
        names = [HF_SAFE_WEIGHTS_NAME] if name == HF_WEIGHTS_NAME else []
        names += [str(Path(name).with_suffix(".safetensors")), name]
        for candidate in names:
            found = try_to_load_from_cache(repo, candidate)
            if isinstance(found, str):
                return Path(found)
        looked = f"{repo} in the Hugging Face cache {constants.HF_HUB_CACHE}"
    else:
        path = Path("~/.cache/clip").expanduser() / Path(tag_cfg["url"]).name
        if path.is_file():
            _check_download(spec, path, tag_cfg["url"])
            return path
        looked = str(path)
    raise FileNotFoundError(
        f"the weights of {spec} are not on this machine (looked for {looked}); "
        f"get them with: mgld encoder fetch {spec}"
    )


def _check_download(spec: str, path: Path, url: str) -> None:
    """Hold a file to the SHA-256 that its address carries, in open_clip's two conventions."""
    if "openaipublic" in url:
        expected = url.split("/")[-2]
    elif "mlfoundations" in url:
        expected = Path(url).stem.split("-")[-1]
    else:
        return
    with path.open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if not found.startswith(expected):
        raise ValueError(
            f"{path} is damaged (SHA-256 {found[:12]}..., expected {expected[:12]}...); "
            f"get it again with: mgld encoder fetch {spec}"
        )


def _cached_folder(spec: str, hub_id: str | None) -> Path | None:
    """Where the Hugging Face cache keeps the text files of `hub_id`; None for None."""
    if not hub_id:
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, allow_patterns=HUB_TEXT_FILES, local_files_only=True))
    except LocalEntryNotFoundError as error:
        raise FileNotFoundError(
            f"the tokenizer or text tower {hub_id} of {spec} is not on this machine; "
            f"get it with: mgld encoder fetch {spec}"
        ) from error
