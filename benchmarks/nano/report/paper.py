"""The paper's own numbers for an experiment: counts of 2,500 questions, printed or inverted.

Table 1 prints gains, Table 2 shares; `benchmarks.paper.cells` turns them into the whole counts that
alone print so. Figures 5 and 7 print no numbers, but some points of Figure 5 are rows of tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import cast

from benchmarks.nano.report.runs import BASELINES
from benchmarks.paper.cells import QUESTIONS, cells, whole_count
from benchmarks.paper.tables import COUNTED, Tables, read_tables
from eeca_ref.recipes.composing import experiments
from mgld.evaluate.intervals import wilson


@dataclass(frozen=True)
class PaperRow:
    """recognised: of 2,500. levels: at each of the four, None where the paper does not count."""

    recognised: int
    levels: tuple[int, int, int, int] | None = None

    @property
    def accuracy(self) -> float:
        """As a share."""
        return self.recognised / QUESTIONS


@cache
def paper_tables() -> Tables:
    """The tables as printed."""
    return read_tables()


@cache
def paper_row(name: str) -> PaperRow | None:
    """The paper's row for an experiment (or "baseline"); None where it prints none."""
    if name == "baseline" or name in BASELINES:
        return _counted("", "Baseline")
    one = next((each for each in experiments() if each.name == name), None)
    if one is None or one.paper is None:
        return None
    row = one.paper
    if row.get("table") == 1 or (row.get("figure") == 5 and row["selection"] != "EECA"):
        return _of_table_1(f"{row['selection']}-{row['size']}")
    if row.get("table") == 2:
        return _of_table_2(str(row["method"]))
    if row.get("figure") == 5:
        return _counted("HDS-25k" if row["size"] == "25k" else "HSS-50k", "L_h")
    if row.get("table") in (3, 4):
        return _counted(str(row.get("subset", "HSS-50k")), str(row["method"]))
    return None


def _counted(subset: str, method: str) -> PaperRow:
    counts = paper_tables().of(subset, method)
    levels = cast(tuple[int, int, int, int], tuple(getattr(counts, level) for level in COUNTED))
    return PaperRow(counts.recognised, levels)


def _of_table_1(subset: str) -> PaperRow | None:
    for row in paper_tables().counts:
        if (row.subset, row.method) == (subset, "Data"):
            return _counted(subset, "Data")
    name = f"table1/{subset}/gain"
    count = next((cell.count for cell in cells(paper_tables()) if cell.id == name), None)
    return None if count is None else PaperRow(count)


def _of_table_2(method: str) -> PaperRow | None:
    if method == "EECA":
        return _counted("HSS-50k", "L_h")
    (row,) = (row for row in paper_tables().printed[2] if row["method"] == method)
    counts = [whole_count(row[f"{level}_pct"]) for level in ("strongly_known", "known")]
    if None in counts:
        return None
    return PaperRow(sum(count for count in counts if count is not None))


@dataclass(frozen=True)
class PaperEffect:
    """A weighted sum of accuracies with its 95 % interval, as shares."""

    effect: float
    low: float
    high: float


def paper_effect(weights: Mapping[str, Fraction]) -> PaperEffect | None:
    """The same contrast of the paper's rows; None where it prints not all of them.

    Newcombe's square-and-add interval (1998, Stat. Med. 17:873-890, method 10; for more than two
    rows Zou and Donner 2008, Stat. Med. 27:1693-1702), as if each row had been asked different
    questions: which questions changed is not printed. Of one training each.
    """
    rows = {name: paper_row(name) for name in weights}
    effect = below = above = 0.0
    for name, weight in weights.items():
        row = rows[name]
        if row is None:
            return None
        w, p = float(weight), row.accuracy
        low, high = wilson(p, QUESTIONS)
        effect += w * p
        down, up = (p - low, high - p) if w > 0 else (high - p, p - low)
        below += (w * down) ** 2
        above += (w * up) ** 2
    return PaperEffect(effect, effect - math.sqrt(below), effect + math.sqrt(above))
