"""The report's figures, from the rows that they show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.nano.report.page_knowledge import draw_study
from benchmarks.nano.report.rows import Row
from benchmarks.nano.report.runs import Runs
from mgld.figures import Drawing


def draw_all(
    runs: Runs, points: dict[int, list[Row]], study: dict[str, Any] | None
) -> Iterator[tuple[str, Drawing]]:
    """Each figure that the runs can show, with its number in the paper, or "knowledge"."""
    if study is not None:
        for drawing in draw_study(study):
            yield "knowledge", drawing
    if runs.probes:
        yield "1", _probes(runs)


def _probes(runs: Runs) -> Drawing:
    from mgld.figures.misalignment import draw_misalignment

    return draw_misalignment(
        [
            table.model_copy(update={"subset": f"{name}: {table.subset}"})
            for name, result in runs.probes.items()
            for table in result.tables
        ]
    )
