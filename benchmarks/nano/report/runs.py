"""The records of a results' folder, found by experiment and seed, as arrays over the test set."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.nano.data import SPLIT
from benchmarks.nano.plan import BASELINE
from benchmarks.nano.record import (
    KNOWN_TIERS,
    LETTERS,
    QUESTIONS_FILE,
    UNKNOWN_TIERS,
    Questions,
    RunRecord,
    TestLandmark,
    read_probes,
    read_questions,
    read_records,
)
from eeca_ref.recipes.composing import Experiment, experiments
from mgld.evaluate.metrics import RECOGNISED
from mgld.evaluate.records import ProbeResult
from mgld.world.lexicon import Half

Scope = Literal["all", "known", "unknown", "rare", "some", "often", "west", "east"]
PROBED = {"table2_eeca": "EECA on HSS-50k"}
"""Rows that are probed, in words."""
_RECOGNISED = [letter for letter, state in LETTERS.items() if state in RECOGNISED]


@dataclass(frozen=True)
class Runs:
    """What there is of the miniature; `questions` None: no run has written them yet.

    probes: by row and seed.
    """

    questions: Questions | None
    records: list[RunRecord]
    probes: dict[str, ProbeResult]

    def of(self, experiment: str, encoder: Half = "west") -> dict[int, RunRecord]:
        """The runs that are this experiment (or "baseline"), by seed. ValueError: two of a seed."""
        found: dict[int, RunRecord] = {}
        for record in self.records:
            if record.encoder != encoder or experiment not in _names(record):
                continue
            if record.seed in found:
                both = f"{found[record.seed].file} and {record.file}"
                raise ValueError(f"{experiment}, seed {record.seed}: {both} say that they are it")
            found[record.seed] = record
        return dict(sorted(found.items()))

    def landmarks(self, encoder: Half = "west") -> list[TestLandmark]:
        """The test set as this encoder sees it; empty before the first run."""
        return [] if self.questions is None else self.questions.landmarks.get(encoder, [])

    def clusters(self, encoder: Half = "west") -> list[Hashable]:
        """What is independent of each other: landmarks of one name are one (their answer is)."""
        return [landmark.name for landmark in self.landmarks(encoder)]

    def scope(self, scope: Scope, encoder: Half = "west") -> NDArray[np.bool_]:
        """A part of the test set, bool [L].

        known: taught sometimes or often (VE-Known); unknown: no syllable of the name was ever shown
        to the encoder (VE-Unknown); rare, some, often: its tier; west, east: the half it lies in.
        """
        marks = self.landmarks(encoder)
        if scope == "all":
            return np.ones(len(marks), dtype=np.bool_)
        if scope in ("west", "east"):
            return np.array([mark.half == scope for mark in marks], dtype=np.bool_)
        tiers = {"known": KNOWN_TIERS, "unknown": UNKNOWN_TIERS}.get(scope, (scope,))
        return np.array([mark.tier in tiers for mark in marks], dtype=np.bool_)


def _names(record: RunRecord) -> set[str]:
    """All experiments that a record is, whichever of them it was run as."""
    names = {record.row, *record.stands_for}
    if names & {BASELINE, *BASELINES}:
        names |= {BASELINE, *BASELINES}
    return names


def is_baseline(experiment: Experiment) -> bool:
    """Whether it is the model of stage 2 as it is, asked without more ado."""
    return experiment.stage == "stage2_instruct" and not experiment.change


BASELINES = frozenset(each.name for each in experiments() if is_baseline(each))


def recognised(record: RunRecord) -> NDArray[np.float64]:
    """1 where a landmark is recognised, 0 where not, nan where unscored: float64 [L]."""
    letters = np.array(list(record.levels), dtype="U1")
    values = np.isin(letters, _RECOGNISED).astype(np.float64)
    values[letters == "-"] = np.nan
    return values


def exactly(record: RunRecord) -> NDArray[np.float64]:
    """1 where an answer that identifies a landmark also says its kind: float64 [L]."""
    return np.array([float(count > "0") for count in record.exact])


def read_runs(folder: Path) -> Runs:
    """All that a results' folder holds; nothing where it is empty or not there.

    ValueError: a record that does not fit the test set, or two that are the same, or a row that
    began from another baseline than the one recorded for its seed.
    """
    records = read_records(folder)
    questions = read_questions(folder) if (folder / QUESTIONS_FILE).is_file() else None
    if records and questions is None:
        raise ValueError(f"{folder} has records and no {QUESTIONS_FILE}: whose levels are they?")
    for record in records:
        marks = questions.landmarks.get(record.encoder, []) if questions else []
        if not len(record.levels) == len(record.said) == len(record.exact) == len(marks):
            raise ValueError(
                f"{folder / record.file}: {len(record.levels)} levels, {len(record.said)} and "
                f"{len(record.exact)} counts of {len(marks)} test landmarks"
            )
        if questions and record.questions_sha256 != questions.sha256[record.encoder]:
            raise ValueError(f"{folder / record.file} was asked other questions: make it anew")
    _require_own_baseline(folder, records)
    probes = {}
    models = {(each.encoder, each.seed, each.row): each.model for each in records}
    for probe in read_probes(folder):
        if models.get((probe.encoder, probe.seed, probe.row), probe.model) != probe.model:
            raise ValueError(f"{folder / probe.file} is of another model than the row's: anew")
        probes[f"{PROBED.get(probe.row, probe.row)}, seed {probe.seed}"] = _of_all(probe.result)
    return Runs(questions, records, probes)


def _of_all(result: ProbeResult) -> ProbeResult:
    """The same with the whole test set called so, not by its split."""
    tables = [
        each.model_copy(update={"subset": "all"}) if each.subset == SPLIT else each
        for each in result.tables
    ]
    return result.model_copy(update={"tables": tables})


def _require_own_baseline(folder: Path, records: list[RunRecord]) -> None:
    models = {(each.encoder, each.seed): each.model for each in records if each.row == BASELINE}
    for record in records:
        if record.baseline != models.get((record.encoder, record.seed)):
            raise ValueError(
                f"{folder / record.file} began from other weights than its seed's baseline has, or "
                "that is not recorded: python -m benchmarks.nano run makes it anew"
            )
