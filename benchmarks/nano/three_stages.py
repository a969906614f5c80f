"""The three training stages in miniature, from nothing to a graded model: `make nano`.

python -m benchmarks.nano.three_stages [--folder .] [--record FILE]

Runs, one after the other, the commands that a newcomer would type (each is shown before it runs),
in `FOLDER/out/nano`. Killed at any moment, the same call goes on where it was. `--record` writes
times and results; it wants a folder where nothing was done before, as half a run's times say
nothing.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.steps import Command, run
from mgld.files import write_text_atomically

OUT = "out/nano"
LANDMARKS = 600
STAGES = ("stage1_pretrain", "stage2_instruct", "stage3_eeca")
PACKAGES = ("torch", "transformers", "deepspeed", "tokenizers", "mgld")


def commands(landmarks: int = LANDMARKS, train: Sequence[str] = ()) -> list[Command]:
    """All steps in order. `train`: words added to each training command, such as `--set`."""
    world, build, answers = f"{OUT}/world", f"{OUT}/build", f"{OUT}/answers"
    asked = ("--model", f"eeca:{OUT}/{STAGES[-1]}", "--data", build)
    said = [
        ("world", "mgld", "world", world, "--landmarks", str(landmarks)),
        ("build", "mgld", "build", "--source", world, "--out", build, "--encoder", "nano"),
        ("parts", "eeca", "nano", build),
        *((stage, "eeca", "train", f"nano/{stage}", *train) for stage in STAGES),
        ("answers", "mgld", "answer", *asked, "--out", answers),
        ("grades", "mgld", "grade", answers, "--judge", "rule"),
        ("probe", "mgld", "probe", *asked, "--out", f"{OUT}/probe", "--judge", "rule"),
    ]
    return [Command(name, tuple(words)) for name, *words in said]


def results(folder: Path) -> dict[str, Any]:
    """What the finished runs in `folder` say: steps and losses by stage, accuracy, levels."""
    out = folder / OUT
    metrics = json.loads((out / "answers" / "metrics-rule.json").read_text(encoding="utf-8"))
    levels = metrics["levels"]
    return {
        "parts": json.loads((out / "parts" / "nano.json").read_text(encoding="utf-8")),
        "stages": {stage: _stage(out / stage) for stage in STAGES},
        "answers": metrics["answers"],
        "levels": levels,
        "probe": json.loads((out / "probe" / "probe.json").read_text(encoding="utf-8")),
    }


def _stage(run_folder: Path) -> dict[str, Any]:
    lines = (run_folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [each for each in map(json.loads, lines) if each["kind"] == "step"]
    first, last = steps[0], steps[-1]
    names = ("loss", "lm_loss", "entity_loss", "hierarchical_loss")
    return {
        "steps": last["step"],
        "first": {name: first[name] for name in names},
        "last": {name: last[name] for name in names},
        "samples": sum(each["samples"] for each in steps),
        "tokens": sum(each["tokens"] for each in steps),
    }


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(), help="where out/nano is made")
    parser.add_argument("--record", type=Path, help="JSON file of times and results")
    given = parser.parse_args()
    if given.record is not None and (given.folder / OUT).exists():
        parser.error(f"--record wants a folder where nothing was done: {given.folder / OUT} exists")
    given.folder.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0]
    seconds = run(given.folder, commands())
    print(f"\n{sum(seconds.values()) / 60:.1f} minutes; in {given.folder / OUT}:")
    for name, took in seconds.items():
        print(f"  {name:<16}{took:7.1f} s")
    print(f"  the graded answers, to leaf through: {OUT}/answers/report.html")
    if given.record is not None:
        record = {
            "what": "three stages of training, answers and grades on a procedural world; make nano",
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
            "load_before": round(load, 2),
            "versions": {
                "python": platform.python_version(),
                **{name: importlib.metadata.version(name) for name in PACKAGES},
            },
            "seconds": {name: round(took, 1) for name, took in seconds.items()},
            "total_seconds": round(sum(seconds.values()), 1),
            **results(given.folder),
        }
        write_text_atomically(given.record, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
