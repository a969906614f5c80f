"""One side of the training benchmark: `python -m benchmarks.speed.train_sides SIDE FOLDER STEPS`.

`trainer`, `trainer-grouped`: transformers' Trainer. `ours`, `ours-off`: stage 2 without the
high-resolution branch; `eeca`, `eeca-off`: stage 3. `-off`: without any optimisation. Ours is
`eeca_ref.training.run.train` itself; only its log also tells the turn that a step is done.
"""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.speed.train_parts import recipe
from benchmarks.speed.train_turns import Turns
from eeca_ref.recipe import Recipe

THREADS = 2
FOR_EVER = 1000  # epochs


def ours(setting: Recipe, out: Path, turns: Turns, *, off: bool) -> None:
    """`train` of the recipe, in turns."""
    from transformers import CLIPVisionModel

    from benchmarks.speed.train_off import all_off
    from eeca_ref.assembling import build_model
    from eeca_ref.training import run
    from eeca_ref.training.log import RunLog, StepRecord

    stack = contextlib.ExitStack()

    def built(setting: Recipe, *rest: Any) -> Any:
        model = build_model(setting, *rest)
        if off:
            clip = CLIPVisionModel.from_pretrained(str(setting.model.vision))
            stack.enter_context(all_off(model, clip))
        return model

    class Log(RunLog):
        def __enter__(self) -> Log:
            turns.wait()
            super().__enter__()
            return self

        def step(self, record: StepRecord) -> None:
            super().step(record)
            turns.step(tokens=record.tokens, loader_seconds=record.loader_seconds)

    with (
        stack,
        mock.patch.object(run, "build_model", built),
        mock.patch.object(run, "RunLog", Log),
    ):
        run.train(setting, out)


def trainer(setting: Recipe, out: Path, turns: Turns, *, grouped: bool) -> None:
    """Transformers' Trainer on the same rows with the same weights."""
    from benchmarks.speed.train_llava import LlavaRows, llava_of, train
    from benchmarks.speed.train_same import opened

    model, examples = opened(setting, out / "store")
    rows = LlavaRows(
        examples,
        examples.store.usable,
        image_token_id=model.config.image_token_id,
        tokens=model.config.lr_tokens,
    )
    llava = llava_of(model, str(setting.model.vision))
    train(llava, rows, setting, out, turns, grouped=grouped)


def main() -> None:
    """The command line."""
    import torch

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("side")
    parser.add_argument("folder", type=Path)
    parser.add_argument("steps", type=int, help="of a turn")
    given = parser.parse_args()
    torch.set_num_threads(THREADS)
    kind, _, how = given.side.partition("-")
    off = how == "off"
    setting = recipe(
        given.folder, eeca=kind == "eeca", order="shuffled" if off else "grouped", epochs=FOR_EVER
    )
    out, turns = given.folder / given.side, Turns(given.steps)
    if kind == "trainer":
        trainer(setting, out, turns, grouped=how == "grouped")
    else:
        ours(setting, out, turns, off=off)


if __name__ == "__main__":
    main()
