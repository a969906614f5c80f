"""The report's figures, from the rows that they show."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from benchmarks.nano.plan import BASELINE
from benchmarks.nano.report.claims import MIN_SEEDS
from benchmarks.nano.report.page_knowledge import draw_study
from benchmarks.nano.report.rows import RowNumbers, accuracy_over, common_seeds
from benchmarks.nano.report.runs import Runs, Scope, recognised
from mgld.figures import Drawing
from mgld.figures.data_size import draw_data_size
from mgld.figures.group_accuracy import GroupShare, draw_group_accuracy
from mgld.figures.robustness import draw_robustness
from mgld.figures.style import METHODS

TAUGHT: Final[dict[Scope, str]] = {
    "unknown": "never",
    "rare": "rarely",
    "some": "sometimes",
    "often": "often",
}
CURVE: Final = {
    "baseline": BASELINE,
    "LCS-50k": "table1_lcs_50k",
    "BRS-50k": "table1_brs_50k",
    "HSS-50k": "table1_hss_50k",
    "HDS-50k": "table1_hds_50k",
    "EECA, HSS-50k": "table3_l_h",
}
DEFAULTS: Final = {"mu_e": 7.32, "theta": 0.5, "hr_tokens": 128.0}
"""The paper's settings, which all of Figure 7's runs have but for one."""


def draw_all(
    runs: Runs, points: dict[int, list[RowNumbers]], study: dict[str, Any] | None
) -> Iterator[tuple[str, Drawing]]:
    """Each figure that the runs can show, with its number in the paper, or "knowledge"."""
    if study is not None:
        for drawing in draw_study(study):
            yield "knowledge", drawing
    if runs.probes:
        yield "1", _probes(runs)
    if any(runs.of(name) for name in CURVE.values()):
        yield "curve", _curve(runs)
    # One size alone has nothing to show against size; nor have points without a seed in common.
    if len({row.subset for row in points[5] if row.seeds}) > 1 and common_seeds(points[5]):
        yield "5", _data_size(runs, points[5])
    varied = _varied(points[7])
    if common_seeds(varied):
        yield "7", _robustness(varied)


def _curve(runs: Runs) -> Drawing:
    """What models recognise, by how often the encoder was taught it: the two halves of the claim.

    Models that were not run are left out of the picture, as the page's tables say.
    """
    scopes = list(TAUGHT)
    models = {
        _with_seeds(words, len(found)): [_share(runs, name, scope) for scope in scopes]
        for words, name in CURVE.items()
        if (found := runs.of(name))
    }
    return draw_group_accuracy(
        [(TAUGHT[scope], int(runs.scope(scope).sum())) for scope in scopes],
        models,
        title="Accuracy by how often the encoder was taught the parts of a name",
        over="how often the encoder was taught the parts of the name; test landmarks",
        name="knowledge-curve",
    )


def _with_seeds(words: str, seeds: int) -> str:
    """A model's name, with how many seeds it has where they are too few for a verdict."""
    return words if seeds >= MIN_SEEDS else f"{words} ({seeds} seed{'s' if seeds > 1 else ''})"


def _share(runs: Runs, name: str, scope: Scope) -> GroupShare | None:
    found = accuracy_over(runs, list(runs.of(name).values()), scope)
    return None if found is None else GroupShare(found.effect, found.low, found.high)


def _data_size(runs: Runs, rows: list[RowNumbers]) -> Drawing:
    """The paper's Figure 5: accuracy and relative gain against size, on the seeds of all points."""
    seeds = common_seeds(rows)
    run = [
        (int(re.sub(r"\D", "", row.subset)), str(row.paper["selection"]), *each)
        for row in rows
        if row.subset
        for each in _by_seed(row, seeds)
    ]
    size, selection, seed, accuracy = zip(*run, strict=True)
    baselines = {
        seed: float(np.nanmean(recognised(record)))
        for seed, record in runs.of(BASELINE).items()
        if seed in seeds
    }
    names = [name.lower() if name.lower() in METHODS else name for name in selection]
    return draw_data_size(size, names, seed, accuracy, baseline=baselines)


def _robustness(rows: list[RowNumbers]) -> Drawing:
    """The paper's Figure 7: one setting changed at a time, on the seeds of all points."""
    run, common = [], common_seeds(rows)
    for row in rows:
        (setting, value) = next((k, v) for k, v in row.paper.items() if k != "figure")
        run += [(setting, float(value), *each) for each in _by_seed(row, common)]
    names, values, seeds, accuracies = zip(*run, strict=True)
    return draw_robustness(names, values, seeds, accuracies, defaults=DEFAULTS)


def _varied(rows: list[RowNumbers]) -> list[RowNumbers]:
    """Those that were run, of settings of which more than one value was."""
    run = [row for row in rows if row.seeds]
    settings = Counter(next(k for k in row.paper if k != "figure") for row in run)
    return [row for row in run if settings[next(k for k in row.paper if k != "figure")] > 1]


def _by_seed(row: RowNumbers, among: set[int]) -> list[tuple[int, float]]:
    """The accuracy of a row's seeds, of those `among`."""
    if row.accuracy is None:
        return []
    every = zip(row.accuracy.seeds, row.accuracy.by_seed, strict=True)
    return [(seed, accuracy) for seed, accuracy in every if seed in among]


def _probes(runs: Runs) -> Drawing:
    from mgld.figures.misalignment import draw_misalignment

    return draw_misalignment(
        [
            table.model_copy(update={"subset": f"{name}: {table.subset}"})
            for name, result in runs.probes.items()
            for table in result.tables
        ]
    )
