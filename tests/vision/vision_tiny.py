"""Tiny random open_clip checkpoints for the tests of encoders."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip.tokenizer import SimpleTokenizer, bytes_to_unicode
from PIL.Image import Image

from mgld.vision import save_checkpoint

torch.set_num_threads(1)

# the architecture of `nano`, smaller
TINY: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 32, "layers": 3, "head_width": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 514, "width": 32, "heads": 2, "layers": 2},
}
PREPROCESS = {"size": [32, 32], "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.25]}
WORDS = ["Abbey of Varn (Solmere)", "Château de Fontainebleau", "Old Bridge", "Kościół Łódź"]


def learn_merges(texts: list[str], count: int) -> list[str]:
    """Plain byte-pair encoding over SimpleTokenizer's own words and alphabet."""
    simple, alphabet = SimpleTokenizer(), bytes_to_unicode()
    words = []
    for text in texts:
        for word in simple.pat.findall(simple.clean_fn(text)):
            letters = [alphabet[byte] for byte in word.encode()]
            words.append([*letters[:-1], letters[-1] + "</w>"])
    merges: list[str] = []
    while len(merges) < count:
        pairs = Counter(pair for word in words for pair in pairwise(word))
        left, right = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(f"{left} {right}")
        for word in words:
            for i in range(len(word) - 1, 0, -1):
                if word[i - 1 : i + 1] == [left, right]:
                    word[i - 1 : i + 1] = [left + right]
    return merges


def tiny_config(**changes: dict[str, Any] | Any) -> dict[str, Any]:
    """TINY with `vision_cfg`, `text_cfg` updated and other keys set."""
    config = deepcopy(TINY)
    for key, value in changes.items():
        if isinstance(value, dict):
            config[key].update(value)
        else:
            config[key] = value
    return config


def tiny_model(config: dict[str, Any], seed: int = 0) -> torch.nn.Module:
    """A random model whose LayerNorms and biases are not the identity either."""
    import open_clip

    torch.manual_seed(seed)
    model_class = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    model = model_class(**{k: v for k, v in config.items() if k != "custom_text"})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def write_tiny(folder: Path, *, merges: list[str] | None = None, **changes: Any) -> Path:
    """A checkpoint folder of `tiny_config(**changes)`."""
    config = tiny_config(**changes)
    config["text_cfg"]["vocab_size"] = 49408 if merges is None else 514 + len(merges)
    save_checkpoint(folder, tiny_model(config), config, PREPROCESS, merges)
    return folder


def open_clips_bytes(preprocess: Any, images: list[Image]) -> list[np.ndarray]:
    """What open_clip makes of images before it makes floats of them: uint8 [3, H, W] each."""
    to_float, normalize = preprocess.transforms[-2:]
    assert type(normalize).__name__ == "Normalize"
    prepared = []
    for image in images:
        for step in preprocess.transforms[:-2]:
            image = step(image)
        prepared.append(np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)))
        assert torch.equal(to_float(image), torch.from_numpy(prepared[-1]) / 255)
    return prepared


def put_into_hub_cache(cache: Path, repo: str, *files: Path) -> None:
    """Move files to where `hf_hub_download` would have left them."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    snapshot = folder / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0" * 40)
    for file in files:
        file.rename(snapshot / file.name)
