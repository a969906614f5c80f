"""Time per token of training, beside transformers' Trainer and beside ours without optimisations.

    python -m benchmarks.speed.train --out benchmarks/results/speed_train.json

Nano shapes (the `nano` encoder, a Llama of 1.9 M parameters) on the rows of a small procedural
build; float32 on the CPU. First equality is asserted: LLaVA's model with our weights has our loss
and gradients, and no optimisation changes a loss or a gradient. Then the sides, each in a process
of its own, take turns (A B C A B C); a turn is whole epochs of the same rows, from the data on disk
to the weights. Ours is `eeca_ref.training.run.train` itself, with DeepSpeed and its log.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import tempfile
from contextlib import ExitStack, closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.speed.train_parts import BATCH, EECA_EPOCHS, WORKERS, make_parts
from benchmarks.speed.train_turns import Side, interleaved, spread
from mgld.files import write_text_atomically

SIDES = {
    "trainer": "transformers' Trainer and LlavaForConditionalGeneration, its own order (random)",
    "trainer-grouped": "the same with train_sampling_strategy=group_by_length",
    "ours": "ours without the high-resolution branch, all optimisations",
    "ours-off": "the same without any optimisation, rows in random order",
    "eeca": "ours, stage 3 with all losses, all optimisations",
    "eeca-off": "the same without any optimisation, rows in random order",
}
RATIOS = (
    ("ours", "trainer"),
    ("ours", "trainer-grouped"),
    ("ours", "ours-off"),
    ("eeca", "eeca-off"),
)
GOAL = 0.7  # ours / trainer


def compare(folder: Path, rounds: int, sides: list[str]) -> dict[str, Any]:
    """All sides in turns: microseconds per token, ratios, share of time waiting for data."""
    steps = {False: _steps(folder, "stage2"), True: _steps(folder, "stage3") * EECA_EPOCHS}
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                closing(
                    Side(
                        name,
                        "benchmarks.speed.train_sides",
                        [name, str(folder), str(steps[name.startswith("eeca")])],
                        folder / f"{name}.log",
                    )
                )
            )
            for name in sides
        ]
        interleaved(running, rounds)
        turns = {side.name: side.turns for side in running}
    per_token = {
        name: [1e6 * turn["seconds"] / turn["tokens"] for turn in taken]
        for name, taken in turns.items()
    }
    return {
        "microseconds_per_token": {name: spread(values) for name, values in per_token.items()},
        # of the two turns of the same round, so that a load that comes and goes falls on both
        "ratios": {
            f"{one} / {other}": spread(
                [a / b for a, b in zip(per_token[one], per_token[other], strict=True)]
            )
            for one, other in RATIOS
            if one in turns and other in turns
        },
        "loader_wait_share": {
            name: statistics.median(turn["loader_seconds"] / turn["seconds"] for turn in taken)
            for name, taken in turns.items()
            if "loader_seconds" in taken[0]
        },
        "turns": turns,
    }


def _steps(folder: Path, stage: str) -> int:
    """Steps of an epoch."""
    if stage == "stage2":
        mix = folder / "parts" / "stage2" / "mix.json"
        return len(json.loads(mix.read_text(encoding="utf-8"))) // BATCH
    import mgld

    return len(mgld.load(str(folder / "build"), "full", split="train")) // BATCH


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--no-compile", action="store_true", help="leave that equality out")
    parser.add_argument("--folder", type=Path, help="where parts are made, or lie from before")
    given = parser.parse_args()
    os.environ |= {"DS_ACCELERATOR": "cpu", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "0"}
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = given.folder or Path(temporary)
        if not (folder / "parts").is_dir():
            make_parts(folder)
        from benchmarks.speed import train_same

        equality: dict[str, Any] = {
            "LlavaForConditionalGeneration": train_same.against_llava(folder)
        }
        equality |= train_same.optimisations(folder)
        if not given.no_compile:
            equality["compiled layers"] = train_same.compilation(folder)
        compared = compare(folder, given.rounds, given.sides)
    names = ("torch", "transformers", "deepspeed", "accelerate", "mgld")
    result = {
        "what": f"training at nano shapes, float32, batches of {BATCH}, {WORKERS} loader process; "
        "the same rows, tokenized beforehand, and images decoded by the same function on all sides",
        "sides": {name: SIDES[name] for name in given.sides},
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in names},
        },
        "goal": {"ours / trainer": GOAL},
        "equality": equality,
        **compared,
    }
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        write_text_atomically(given.out, text + "\n")


if __name__ == "__main__":
    main()
