"""Making a row: its training, its answers, and what is recorded of them.

Everything goes through the functions behind the commands: the trainer's `train` here,
`answer_questions` and `grade_run` in `asking`. Each leaves what is finished as it is, and goes on
with what was killed.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.nano.asking import ask, levels_of
from benchmarks.nano.bindings import RowBindings
from benchmarks.nano.machine import this_machine
from benchmarks.nano.place import STAGES, Place, alone, claim
from benchmarks.nano.plan import PRESET, Row, subset_of
from benchmarks.nano.record import RunRecord


def make_row(
    place: Place,
    row: Row,
    seed: int,
    *,
    bindings: RowBindings,
    device: str | None,
) -> RunRecord:
    """Train (or take the baseline), ask, grade; what is kept of it."""
    from eeca_ref.training.origins import fingerprint

    seconds = {}
    began = time.perf_counter()
    earlier = None
    if row.recipe is None:
        for stage in STAGES:
            model = train_one(place, seed, stage, f"{PRESET}/{stage}", bindings.baseline)
        earlier = manifest_of(place.run(seed, STAGES[0]))
    else:
        sets = data_of(place, row)
        model = train_one(place, seed, row.trained_as, row.recipe, bindings.trained, sets=sets)
    seconds["train"] = time.perf_counter() - began
    began = time.perf_counter()
    answers = place.answers(seed, row)
    ask(place, row, seed, model, answers, binding=bindings.row, device=device)
    seconds["answer"] = time.perf_counter() - began
    levels, said, exact = levels_of(answers)
    return RunRecord(
        row=row.name,
        stands_for=list(row.stands_for),
        seed=seed,
        encoder=place.half,
        subset=subset_of(row),
        levels=levels,
        said=said,
        exact=exact,
        entity_prompt="none" if row.prompt == "question" else "given",
        questions_sha256=bindings.questions,
        binding=bindings.row,
        model=fingerprint(model / "model"),
        seconds={name: round(value, 1) for name, value in seconds.items()},
        machine=this_machine(device),
        manifest=manifest_of(model),
        earlier=earlier,
    )


def train_one(
    place: Place, seed: int, name: str, recipe: str, binding: str, *, sets: Sequence[str] = ()
) -> Path:
    """Train a recipe; its folder. A finished one of the same binding is left as it is.

    sets: settings of the recipe that are to be others, as `eeca train --set` takes them. What began
    from another baseline than lies there now is made anew: the same settings give other weights on
    another machine.
    """
    from eeca_ref.cli._quiet import quiet_transformers
    from eeca_ref.recipes import load_recipe

    quiet_transformers()
    from eeca_ref.training.run import train

    out = place.run(seed, name)
    own = _sets_of(place, seed, recipe.partition("/")[2])
    with alone(out):
        if name not in STAGES and not _began_from(out, place.run(seed, STAGES[-1]) / "model"):
            shutil.rmtree(out)
        claim(out, binding)
        train(load_recipe(recipe, [*own, *sets]), out)
    return out


def data_of(place: Place, row: Row) -> list[str]:
    """What the row's recipe is told of its data, where another rule chose it."""
    if row.rule is None:
        return []
    return [f"data.source.source={place.rules}", f"data.source.config={subset_of(row)}"]


def _sets_of(place: Place, seed: int, name: str) -> list[str]:
    """What a built-in recipe of preset `nano` is told, so that it works in this place and seed."""
    sets = [f"seed={seed}"]
    if name == STAGES[0]:
        stage = place.parts / "stage1"
        sets += [
            f"model.vision={place.parts / 'vision'}",
            f"model.language_model={place.parts / 'language_model'}",
            f"data.source.json_file={stage / 'chat.json'}",
            f'data.source.images={{"": {stage / "images"}}}',
        ]
    elif name == STAGES[1]:
        stage = place.parts / "stage2"
        sets += [
            f"model.start={place.run(seed, STAGES[0]) / 'model'}",
            f"data.source.json_file={stage / 'mix.json'}",
            f'data.source.images={{"": {stage / "images"}}}',
        ]
    else:
        sets += [
            f"model.start={place.run(seed, STAGES[1]) / 'model'}",
            f"data.source.source={place.build}",
        ]
    return sets


def _began_from(run: Path, weights: Path) -> bool:
    """Whether a training began from these weights, or has not begun."""
    from eeca_ref.training.origins import fingerprint

    if not (run / "manifest.json").is_file():
        return True
    began: str = manifest_of(run)["models"]["start"]["fingerprint"]
    return began == fingerprint(weights)


def manifest_of(run: Path) -> dict[str, Any]:
    """What a training says of itself."""
    found: dict[str, Any] = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    return found
