"""The encoder of each half: the shipped one, and the swap control's, trained when it is wanted.

Both are trained by `train_encoder`, with the same settings. The second one is not shipped; what it
was trained on and what it knows is recorded beside the runs, in `results/encoder-east.json`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.nano.place import Place
from benchmarks.nano.record import RESULTS
from mgld.files import write_text_atomically

SECOND_FILE: Final = "encoder-east.json"
MEASURED: Final = 2400
"""Landmarks that the second encoder is measured on, as many as the shipped one."""


def encoder_of(place: Place, results: Path, *, note: Callable[[str], None]) -> str:
    """The spec of the encoder that was taught the place's half, trained and recorded if need be."""
    if place.half == "west":
        return "nano"
    folder = place.own / "encoder"
    if not folder.is_dir():
        note(f"training the encoder of the eastern half (about half an hour): {folder}")
        aside = folder.with_name("encoder.tmp")
        words = ["-m", "benchmarks.nano.train_encoder", "--half", "east", "--out", str(aside)]
        subprocess.run([sys.executable, *words], check=True)
        aside.rename(folder)
    training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    there = read_second_encoder(results)
    if there is None or there["training"] != training:
        from benchmarks.nano.measure_encoder import measure

        note(f"measuring what it knows: {folder}")
        record = {"training": training, "measurements": measure(folder, "east", MEASURED)}
        text = json.dumps(record, indent=1, ensure_ascii=False)
        results.mkdir(parents=True, exist_ok=True)
        write_text_atomically(results / SECOND_FILE, text + "\n")
    return str(folder)


def read_second_encoder(results: Path = RESULTS) -> dict[str, Any] | None:
    """What the second encoder was trained on (`training`) and what it knows (`measurements`), as
    beside the shipped one's weights; None before it was made."""
    path = results / SECOND_FILE
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
