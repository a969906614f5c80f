"""What the page is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.nano.report.best_rule import Budget
from benchmarks.nano.report.dispersion import Measured
from benchmarks.nano.report.rows import RowNumbers
from benchmarks.nano.report.runs import Runs
from benchmarks.nano.report.verdicts import Conclusion
from benchmarks.nano.validating import ValidationRecord


@dataclass(frozen=True)
class Picture:
    """A figure as the page shows it."""

    name: str
    title: str
    alt: str


@dataclass(frozen=True)
class Contents:
    """All that the page is made from.

    tables, points: rows of the paper's tables and points of its figures, by number. pictures: by
    figure ("1", "5", "7", "curve", "knowledge"), and those of the build ("data"). rules: what rules
    of selection teach, by budget. measured: Figure 3's claims. study: of the encoder's knowledge,
    None: not made. validation: what settings gave on the validation set. second_encoder: the swap
    control's, None: not made.
    """

    runs: Runs
    tables: dict[int, list[RowNumbers]]
    points: dict[int, list[RowNumbers]]
    conclusions: list[Conclusion]
    remarks: dict[str, str]
    pictures: dict[str, list[Picture]]
    rules: list[Budget]
    measured: list[Measured]
    study: dict[str, Any] | None
    validation: list[ValidationRecord]
    second_encoder: dict[str, Any] | None
