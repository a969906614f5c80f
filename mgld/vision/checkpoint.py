"""The folder format of a local encoder checkpoint, and writing one.

The folder is open_clip's own: `open_clip_config.json` ({"model_cfg": ..., "preprocess_cfg": ...})
and `open_clip_model.safetensors`. An encoder with its own small vocabulary adds
`bpe_merges.txt.gz`, which open_clip's `SimpleTokenizer` reads: byte-level BPE, one merge a line.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

CONFIG_FILE = "open_clip_config.json"
WEIGHTS_FILE = "open_clip_model.safetensors"
MERGES_FILE = "bpe_merges.txt.gz"

# 256 bytes, the same 256 at the end of a word, and the two markers of start and end of text.
BASE_VOCABULARY = 256 + 256 + 2
# SimpleTokenizer cuts a merges file at the length of OpenAI's.
MAX_MERGES = 49152 - 256 - 2


def save_checkpoint(
    folder: str | Path,
    model: torch.nn.Module,
    model_cfg: Mapping[str, Any],
    preprocess_cfg: Mapping[str, Any],
    merges: Sequence[str] | None = None,
) -> None:
    """Write `model` as a checkpoint folder that `load_encoder(folder)` and open_clip read.

    Args:
        folder: where to write. Other files already there (a card, a training record) are kept.
        model: an open_clip model built from `model_cfg`.
        model_cfg: open_clip's model configuration: embed_dim, vision_cfg, text_cfg, ...
        preprocess_cfg: open_clip's `PreprocessCfg` fields: size, mean, std, interpolation,
            resize_mode.
        merges: the merges of a byte-level BPE in order of priority, each "left right" in
            SimpleTokenizer's alphabet (`</w>` ends a word); None where the tokenizer is the one
            that `model_cfg` asks for. `text_cfg.vocab_size` must be 514 + the number of merges.

    The new folder is written whole beside the old one and then takes its place: a killed process
    never leaves old weights with a new configuration.

    Raises:
        ValueError: merges that do not make a vocabulary of the size that `model_cfg` states.
    """
    from safetensors.torch import save

    if merges is not None:
        check_merges(merges, vocab_size=model_cfg["text_cfg"]["vocab_size"])
    folder = Path(folder)
    new = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    shutil.rmtree(new, ignore_errors=True)
    if folder.exists():
        ours = shutil.ignore_patterns(CONFIG_FILE, WEIGHTS_FILE, MERGES_FILE)
        shutil.copytree(folder, new, ignore=ours)
    else:
        new.mkdir(parents=True)
    try:
        config = {"model_cfg": dict(model_cfg), "preprocess_cfg": dict(preprocess_cfg)}
        (new / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        tensors = {
            name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
        }
        # not save_file, which makes a file that only its owner may read
        (new / WEIGHTS_FILE).write_bytes(save(tensors))
        if merges is not None:
            (new / MERGES_FILE).write_bytes(pack_merges(merges))
        for path in new.iterdir():
            if path.is_file():
                with path.open("rb") as handle:
                    os.fsync(handle.fileno())
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def pack_merges(merges: Sequence[str]) -> bytes:
    """The bytes of `bpe_merges.txt.gz`; the same merges give the same bytes.

    SimpleTokenizer drops the first line as a header and takes every other line for a merge, so
    that a newline at the end would become an empty token: there is none.
    """
    text = "\n".join(["#version: mgld byte-level BPE", *merges])
    return gzip.compress(text.encode(), mtime=0)


def read_merges(path: Path) -> list[str]:
    """The merges of a `bpe_merges.txt.gz`, in order, as SimpleTokenizer will read them."""
    return gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")[1 : MAX_MERGES + 1]


def check_merges(merges: Sequence[str], *, vocab_size: int) -> None:
    """Raise ValueError unless `merges` are a byte-level BPE with `vocab_size` different tokens."""
    from open_clip.tokenizer import bytes_to_unicode

    if len(merges) > MAX_MERGES:
        raise ValueError(f"{len(merges)} merges; open_clip's SimpleTokenizer reads {MAX_MERGES}")
    if vocab_size != BASE_VOCABULARY + len(merges):
        raise ValueError(
            f"text_cfg.vocab_size is {vocab_size}, but {len(merges)} merges make a vocabulary of "
            f"{BASE_VOCABULARY + len(merges)} ({BASE_VOCABULARY} + merges)"
        )
    letters = set(bytes_to_unicode().values())
    known = letters | {letter + "</w>" for letter in letters}
    for number, merge in enumerate(merges):
        parts = merge.split()
        if len(parts) != 2 or not known.issuperset(parts):
            raise ValueError(f"merge {number} is not two known tokens: {merge!r}")
        if "".join(parts) in known:
            raise ValueError(f"merge {number} makes a token that exists already: {merge!r}")
        known.add("".join(parts))
