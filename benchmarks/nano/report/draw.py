"""The report's figures, from the rows that they show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from benchmarks.nano.report.page_knowledge import draw_study
from benchmarks.nano.report.rows import Row
from benchmarks.nano.report.runs import BASELINE, Runs, recognised
from mgld.figures import Drawing
from mgld.figures.data_size import draw_data_size
from mgld.figures.robustness import draw_robustness
from mgld.figures.style import METHODS

DEFAULTS: Final = {"mu_e": 7.32, "theta": 0.5, "hr_tokens": 128.0}
"""The paper's settings, which all of Figure 7's runs have but for one."""


def draw_all(
    runs: Runs, points: dict[int, list[Row]], study: dict[str, Any] | None
) -> Iterator[tuple[str, Drawing]]:
    """Each figure that the runs can show, with its number in the paper, or "knowledge"."""
    if study is not None:
        for drawing in draw_study(study):
            yield "knowledge", drawing
    if runs.probes:
        yield "1", _probes(runs)
    if any(row.seeds for row in points[5]):
        yield "5", _data_size(runs, points[5])
    if any(row.seeds for row in points[7]):
        yield "7", _robustness(points[7])


def _data_size(runs: Runs, rows: list[Row]) -> Drawing:
    """The paper's Figure 5: accuracy and relative gain against size."""
    run = [
        (int(re.sub(r"\D", "", row.subset)), str(row.paper["selection"]), *each)
        for row in rows
        if row.subset
        for each in _by_seed(row)
    ]
    size, selection, seed, accuracy = zip(*run, strict=True)
    baselines = {seed: float(np.nanmean(recognised(r))) for seed, r in runs.of(BASELINE).items()}
    names = [name.lower() if name.lower() in METHODS else name for name in selection]
    return draw_data_size(size, names, seed, accuracy, baseline=baselines)


def _robustness(rows: list[Row]) -> Drawing:
    """The paper's Figure 7: one setting changed at a time."""
    run = []
    for row in rows:
        (setting, value) = next((k, v) for k, v in row.paper.items() if k != "figure")
        run += [(setting, float(value), *each) for each in _by_seed(row)]
    names, values, seeds, accuracies = zip(*run, strict=True)
    return draw_robustness(names, values, seeds, accuracies, defaults=DEFAULTS)


def _by_seed(row: Row) -> list[tuple[int, float]]:
    """The accuracy of each seed of a row."""
    if row.accuracy is None:
        return []
    return list(zip(row.accuracy.seeds, row.accuracy.by_seed, strict=True))


def _probes(runs: Runs) -> Drawing:
    from mgld.figures.misalignment import draw_misalignment

    return draw_misalignment(
        [
            table.model_copy(update={"subset": f"{name}: {table.subset}"})
            for name, result in runs.probes.items()
            for table in result.tables
        ]
    )
