"""The fingerprint changes with the encoder and with nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from vision_tiny import PREPROCESS, tiny_config, tiny_model

from mgld.vision import load_encoder, save_checkpoint


def of(folder: Path, *, merges: list[str], preprocess: dict[str, Any], **changes: Any) -> str:
    config = tiny_config(**changes)
    config["text_cfg"]["vocab_size"] = 514 + len(merges)
    save_checkpoint(folder, tiny_model(config), config, preprocess, merges)
    return load_encoder(str(folder), device="cpu").fingerprint


def test_every_weight_counts(tmp_path: Path, merges: list[str]) -> None:
    config = tiny_config(text_cfg={"vocab_size": 514 + len(merges)})
    model = tiny_model(config)
    seen = set()
    for _, parameter in [("", None), *model.named_parameters()]:
        if parameter is not None:
            with torch.no_grad():
                last = parameter.view(-1)[-1]
                last.copy_(torch.nextafter(last, torch.tensor(torch.inf)))
        save_checkpoint(tmp_path / "encoder", model, config, PREPROCESS, merges)
        seen.add(load_encoder(str(tmp_path / "encoder"), device="cpu").fingerprint)
    assert len(seen) == 1 + len(list(model.parameters()))


@pytest.mark.parametrize(
    "changes",
    [
        {"quick_gelu": True},
        {"vision_cfg": {"head_width": 8}},
        {"vision_cfg": {"norm_kwargs": {"eps": 1e-6}}},
        {"text_cfg": {"heads": 4}},
        {"text_cfg": {"tokenizer_kwargs": {"clean": "whitespace"}}},
        {"preprocess": {**PREPROCESS, "mean": [0.5, 0.4, 0.31]}},
        {"preprocess": {**PREPROCESS, "interpolation": "bilinear"}},
        {"preprocess": {**PREPROCESS, "resize_mode": "squash"}},
    ],
)
def test_every_setting_counts(tmp_path: Path, merges: list[str], changes: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"merges": merges, "preprocess": PREPROCESS}
    before = of(tmp_path / "a", **settings)
    assert of(tmp_path / "b", **{**settings, **changes}) != before


def test_the_order_of_merges_counts(tmp_path: Path, merges: list[str]) -> None:
    unrelated = ["q x", "x q", *merges]
    swapped = ["x q", "q x", *merges]
    assert of(tmp_path / "a", merges=unrelated, preprocess=PREPROCESS) != of(
        tmp_path / "b", merges=swapped, preprocess=PREPROCESS
    )


def test_a_default_said_aloud_changes_nothing(tmp_path: Path, merges: list[str]) -> None:
    settings: dict[str, Any] = {"merges": merges, "preprocess": PREPROCESS}
    spoken: dict[str, Any] = {
        "quick_gelu": False,
        "vision_cfg": {"mlp_ratio": 4.0, "pool_type": "tok"},
        "text_cfg": {"pool_type": "argmax"},
        "preprocess": {**PREPROCESS, "interpolation": "bicubic", "resize_mode": "shortest"},
    }
    assert of(tmp_path / "a", **settings) == of(tmp_path / "b", **{**settings, **spoken})
