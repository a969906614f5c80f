"""The rows of Tables 1 to 4 in miniature: levels, accuracy and gain over each seed's baseline."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.nano.plan import BASELINE
from benchmarks.nano.record import LETTERS, RunRecord
from benchmarks.nano.report.effects import Estimate, estimate, paired_p, share
from benchmarks.nano.report.runs import BASELINES, Runs, Scope, exactly, recognised
from eeca_ref.recipes.composing import Experiment, compose, experiments
from mgld.evaluate.metrics import level_metrics
from mgld.evaluate.paired import holm
from mgld.evaluate.records import LEVELS, Level
from mgld.schema import Record
from mgld.world.lexicon import Half

KNOWLEDGE: Final[tuple[Scope, ...]] = ("known", "rare", "unknown")


class Gain(Record):
    """Over each seed's own baseline.

    points: difference of the accuracies. relative: the same over the mean baseline, as Table 1 has
    it, its interval by linearisation of the ratio, not by seed; None where the baseline recognises
    nothing. p: exact paired test of the models at hand; p_holm: adjusted over the table's rows.
    """

    points: Estimate
    relative: Estimate | None
    p: float
    p_holm: float


class RowNumbers(Record):
    """One row of a table. Everything is None or empty where it was not run.

    Attributes:
        experiment, subset: its name, and its data in miniature ("hds300"); paper: its key there.
        shares: of each level, mean over seeds; accuracy: all landmarks. exact: share of landmarks
            that an answer identifies, saying their kind rightly, too.
        by_knowledge: accuracy over landmarks known, rarely taught and unknown to the encoder.
        unscored: landmarks by seed that have no level.
    """

    experiment: str
    subset: str | None
    paper: dict[str, str | int | float]
    encoder: Half
    seeds: list[int]
    shares: dict[Level, float]
    accuracy: Estimate | None
    exact: Estimate | None
    gain: Gain | None
    by_knowledge: dict[str, Estimate]
    gain_by_knowledge: dict[str, Estimate]
    unscored: list[int]

    @property
    def is_baseline(self) -> bool:
        """Whether it is the model of stage 2 alone."""
        return self.experiment == BASELINE or self.experiment in BASELINES


def table_rows(runs: Runs, number: int) -> list[RowNumbers]:
    """The rows of one of the paper's tables, in its order."""
    chosen = [each for each in experiments() if (each.paper or {}).get("table") == number]
    return adjusted([row_of(runs, each) for each in chosen])


def figure_rows(runs: Runs, number: int) -> list[RowNumbers]:
    """The points of one of the paper's figures."""
    chosen = [each for each in experiments() if (each.paper or {}).get("figure") == number]
    return adjusted([row_of(runs, each) for each in chosen])


def common_seeds(rows: Sequence[RowNumbers]) -> set[int]:
    """Seeds that all rows have, of those that were run: what points of a figure are compared on."""
    run = [set(row.seeds) for row in rows if row.seeds]
    return set.intersection(*run) if run else set()


def named_rows(runs: Runs, names: Sequence[str], encoder: Half) -> list[RowNumbers]:
    """Rows by the names of their experiments, with one encoder; "baseline" is a name, too."""
    by_name = {each.name: each for each in experiments()}
    baseline = Experiment(name=BASELINE, stage="stage2_instruct", paper={}, subset=None)
    by_name[BASELINE] = baseline
    return adjusted([row_of(runs, by_name[name], encoder) for name in names])


def row_of(runs: Runs, experiment: Experiment, encoder: Half = "west") -> RowNumbers:
    """All numbers of one experiment; p-values are not yet adjusted."""
    found = runs.of(experiment.name, encoder)
    seeds, records = list(found), list(found.values())
    trained = experiment.name != BASELINE and experiment.name not in BASELINES
    name = experiment.name
    return RowNumbers(
        experiment=name,
        subset=_subset(experiment, records),
        paper=experiment.paper or {},
        encoder=encoder,
        seeds=seeds,
        shares=_shares(runs, records),
        accuracy=accuracy_over(runs, records, "all"),
        exact=accuracy_over(runs, records, "all", exactly),
        gain=_gain(runs, found, encoder) if trained else None,
        by_knowledge=_present({scope: accuracy_over(runs, records, scope) for scope in KNOWLEDGE}),
        gain_by_knowledge=_present(
            {scope: _gain_over(runs, found, encoder, scope) for scope in KNOWLEDGE}
        )
        if trained
        else {},
        unscored=[record.levels.count("-") for record in records],
    )


def adjusted(rows: list[RowNumbers]) -> list[RowNumbers]:
    """The rows with Holm's adjustment over those that have a test."""
    at = [k for k, row in enumerate(rows) if row.gain is not None]
    gains = [gain for row in rows if (gain := row.gain) is not None]
    result = list(rows)
    for k, gain, p in zip(at, gains, holm([gain.p for gain in gains]), strict=True):
        new = gain.model_copy(update={"p_holm": p})
        result[k] = rows[k].model_copy(update={"gain": new})
    return result


def _subset(experiment: Experiment, records: list[RunRecord]) -> str | None:
    """What it was trained on; before it was run, what the preset `nano` says."""
    if records:
        return records[0].subset
    if experiment.stage == "stage2_instruct":
        return None
    source = compose(f"nano/{experiment.name}")["data"]["source"]
    return str(source["config"]) if "config" in source else None


def _shares(runs: Runs, records: list[RunRecord]) -> dict[Level, float]:
    if not records:
        return {}
    clusters = runs.clusters(records[0].encoder)
    metrics = [
        level_metrics([LETTERS[letter] for letter in record.levels], clusters=clusters)
        for record in records
    ]
    return {
        level: float(np.mean([each.shares[level] or 0.0 for each in metrics])) for level in LEVELS
    }


def accuracy_over(
    runs: Runs,
    records: list[RunRecord],
    scope: Scope,
    counted: Callable[[RunRecord], NDArray[np.float64]] = recognised,
) -> Estimate | None:
    """Mean accuracy over seeds and the landmarks of a scope; counted: what of, float64 [L]."""
    if not records:
        return None
    encoder = records[0].encoder
    inside = np.flatnonzero(runs.scope(scope, encoder))
    clusters = runs.clusters(encoder)
    return share(
        estimate(
            np.stack([counted(record) for record in records])[:, inside],
            seeds=[record.seed for record in records],
            clusters=[clusters[row] for row in inside],
        )
    )


def _pairs(
    runs: Runs, found: dict[int, RunRecord], encoder: Half, scope: Scope
) -> tuple[list[int], NDArray[np.float64], NDArray[np.float64], list[Hashable]]:
    """The seeds, and row and baseline on a scope: float64 [S, l]."""
    baselines, seeds = runs.of(BASELINE, encoder), list(found)
    inside = np.flatnonzero(runs.scope(scope, encoder))
    empty = np.empty((0, len(inside)))
    rows = [recognised(found[seed])[inside] for seed in seeds]
    before = [recognised(baselines[seed])[inside] for seed in seeds]
    names = runs.clusters(encoder)
    clusters: list[Hashable] = [names[row] for row in inside]
    if not seeds:
        return [], empty, empty, clusters
    return seeds, np.stack(rows), np.stack(before), clusters


def _gain(runs: Runs, found: dict[int, RunRecord], encoder: Half) -> Gain | None:
    seeds, rows, before, clusters = _pairs(runs, found, encoder, "all")
    difference = rows - before
    points = estimate(difference, seeds=seeds, clusters=clusters)
    if points is None:
        return None
    p = paired_p(difference, clusters)
    return Gain(
        points=points,
        relative=_relative(rows, before, seeds, clusters),
        p=p,
        p_holm=p,
    )


def _gain_over(
    runs: Runs, found: dict[int, RunRecord], encoder: Half, scope: Scope
) -> Estimate | None:
    seeds, rows, before, clusters = _pairs(runs, found, encoder, scope)
    return estimate(rows - before, seeds=seeds, clusters=clusters)


def _relative(
    rows: NDArray[np.float64],
    before: NDArray[np.float64],
    seeds: list[int],
    clusters: list[Hashable],
) -> Estimate | None:
    """Mean accuracy over mean baseline, less 1; the interval is of (row - ratio baseline) / base.

    The base is the mean over all seeds: a seed's own can be very small.
    """
    scored = ~np.isnan(rows - before)
    base = float(np.mean(before[scored]))
    if base == 0:
        return None
    ratio = float(np.mean(rows[scored])) / base
    around = estimate((rows - ratio * before) / base, seeds=seeds, clusters=clusters)
    if around is None:
        return None
    moved = {
        "effect": around.effect + ratio - 1,
        "low": around.low + ratio - 1,
        "high": around.high + ratio - 1,
        "by_seed": [],
    }
    return around.model_copy(update=moved)


def _present(found: dict[Scope, Estimate | None]) -> dict[str, Estimate]:
    return {scope: each for scope, each in found.items() if each is not None}
