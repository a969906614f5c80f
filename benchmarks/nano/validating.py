"""A row with settings of one's own, on the validation set: how the settings were chosen.

The validation set is the second half of the build's test records, of which no row of the tables is
ever asked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from pydantic import Field

from benchmarks.nano.asking import ask, levels_of
from benchmarks.nano.bindings import row_bindings
from benchmarks.nano.data import questions_of, validation_split
from benchmarks.nano.machine import this_machine
from benchmarks.nano.making import data_of, manifest_of, train_one
from benchmarks.nano.place import STAGES, Place, hash_of
from benchmarks.nano.plan import Row
from benchmarks.nano.record import RESULTS, Machine, Questions
from benchmarks.nano.rule_subsets import write_rule_subsets
from mgld.files import write_text_atomically
from mgld.schema import Record
from mgld.world.lexicon import Half

FOLDER: Final = "validation"
LAST: Final = 20
"""Steps over which the last L_g is a mean."""


class ValidationRecord(Record):
    """A row with other settings: `results/validation/HALF-seedN-ROW-HASH.json`.

    Attributes:
        sets: what was set otherwise than the row's recipe has it; empty: the row as it is.
        levels: as in `RunRecord`, of the validation set.
        lm_loss: mean L_g of the last steps; clipped: share of steps whose gradient was clipped.
            Both None for a baseline.
        questions_sha256: of the test's questions, which says of which build it is. binding: hash of
            all that it was made of.
    """

    row: str
    seed: int
    encoder: Half
    sets: list[str]
    levels: str = Field(pattern=r"^[SKWU-]*$")
    lm_loss: float | None
    clipped: float | None
    questions_sha256: str
    binding: str
    machine: Machine
    manifest: dict[str, Any]

    @property
    def file(self) -> str:
        """Its file's name in the folder."""
        return f"{self.encoder}-seed{self.seed}-{self.row}-{hash_of(self.sets)[:8]}.json"


def validate(
    place: Place,
    row: Row,
    seed: int,
    sets: Sequence[str],
    *,
    device: str | None,
    results: Path = RESULTS,
) -> ValidationRecord:
    """Train a row with some settings changed, and ask it the validation set's questions.

    sets: "KEY=VALUE", as `eeca train --set` takes them. RuntimeError: the seed's baseline is not
    there.
    """
    if row.rule is not None:
        write_rule_subsets(place, row.rule)
    bindings = row_bindings(place, row, seed, questions_of([place]).sha256[place.half])
    baseline = place.require(seed, STAGES[-1], bindings.baseline)
    sets = sorted(sets)
    binding = hash_of([bindings.trained, sets])
    name = f"{FOLDER}/{row.name}-{hash_of(sets)[:8]}"
    if row.recipe is None:
        if sets:
            raise ValueError("a baseline is the tables' own: it is asked as it is")
        model = baseline
    else:
        all_sets = [*data_of(place, row), *sets]
        model = train_one(place, seed, name, row.recipe, binding, sets=all_sets)
    answers = place.seed(seed) / "answers" / name
    split = validation_split()
    asked = hash_of([binding, split])
    ask(place, row, seed, model, answers, binding=asked, device=device, split=split)
    steps = [] if row.recipe is None else _steps(model)
    clip = manifest_of(model)["recipe"]["optim"]["clip"]
    record = ValidationRecord(
        row=row.name,
        seed=seed,
        encoder=place.half,
        sets=sets,
        levels=levels_of(answers)[0],
        lm_loss=fmean(each["lm_loss"] for each in steps[-LAST:]) if steps else None,
        clipped=sum(each["grad_norm"] > clip for each in steps) / len(steps) if steps else None,
        questions_sha256=bindings.questions,
        binding=hash_of([bindings.row, sets]),
        machine=this_machine(device),
        manifest=manifest_of(model),
    )
    path = results / FOLDER / record.file
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(path, record.model_dump_json(indent=1) + "\n")
    return record


def read_validation(
    results: Path = RESULTS, questions: Questions | None = None
) -> list[ValidationRecord]:
    """All of a results' folder, by row and file.

    ValueError: a file that is none, or is of another build than the runs whose `questions` these
    are.
    """
    found = []
    for path in sorted((results / FOLDER).glob("*.json")):
        record = ValidationRecord.model_validate_json(path.read_text(encoding="utf-8"))
        if questions and record.questions_sha256 != questions.sha256.get(record.encoder):
            raise ValueError(
                f"{path} is of another build than the runs: make it anew, or remove it"
            )
        found.append(record)
    return found


def _steps(run: Path) -> list[dict[str, Any]]:
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [each for each in map(json.loads, lines) if each["kind"] == "step"]
