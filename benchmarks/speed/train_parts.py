"""What all sides of the training benchmark train on and start from: a small procedural build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eeca_ref.recipe import Recipe

LANDMARKS, BATCH, WORKERS = 120, 16, 1
EVERY = 2  # rows of stage 2 that are left, so that a turn is a whole epoch and yet short
EECA_EPOCHS = 3  # of stage 3 in a turn: it has fewer rows


def make_parts(folder: Path) -> None:
    """`folder/build` (an MGLD build) and `folder/parts` (encoder, language model, data)."""
    from eeca_ref.nano import prepare
    from mgld.cli import main as mgld

    arguments = ["build", "--source", f"world:{LANDMARKS}", "--encoder", "nano"]
    mgld([*arguments, "--out", str(folder / "build")], standalone_mode=False)
    prepare(folder / "build", folder / "parts")
    mix = folder / "parts" / "stage2" / "mix.json"
    rows = json.loads(mix.read_text(encoding="utf-8"))
    mix.write_text(json.dumps(rows[::EVERY]), encoding="utf-8")


def recipe(folder: Path, *, eeca: bool, order: str = "grouped", epochs: int = 1) -> Recipe:
    """Stage 2 without the high-resolution branch, or stage 3 with all losses; float32.

    All parts are trained: the language model begins at random.
    """
    parts = folder / "parts"
    settings: dict[str, Any] = {"max_sequence_length": 512}
    train = ["lr_adapter", "language_model"]
    source: dict[str, Any]
    if eeca:
        source = {"kind": "mgld", "source": str(folder / "build"), "config": "full"}
        settings |= {"resampler_queries": 16, "resampler_heads": 4, "resampler_head_dim": 32}
        train += ["resampler", "classifier", "log_tau"]
    else:
        json_file, images = parts / "stage2" / "mix.json", parts / "stage2" / "images"
        source = {"kind": "llava", "json_file": str(json_file), "images": {"": str(images)}}
        settings |= {"hr": False, "mu_e": 0, "mu_h": 0}
    return Recipe.model_validate(
        {
            "name": "speed",
            "model": {
                "vision": str(parts / "vision"),
                "language_model": str(parts / "language_model"),
                "settings": settings,
            },
            "data": {"source": source, "order": order, "workers": WORKERS},
            "train": train,
            "optim": {
                "lr": 1e-4,
                "clip": 1.0,
                "epochs": epochs,
                "global_batch": BATCH,
                "micro_batch": BATCH,
            },
            "engine": {"precision": "fp32", "checkpointing": False},
            "keep": {"every": 10**6},
            "log": {"gradient_norms_every": None},
        }
    )
