"""Every printed number of Tables 1 to 4 that can be made again from others, made again.

Exact: whole counts and fractions, rounded half up once to as many digits as were printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final

from benchmarks.paper.tables import Counts, Tables
from mgld.evaluate.intervals import wilson

QUESTIONS: Final = 2500
"""The sum of each row of Tables 6 and 7."""


@dataclass(frozen=True)
class Cell:
    """One number: as printed, as computed from `source`, and whether the two are the same text.

    count: the recognised of QUESTIONS behind it, where it stands for an accuracy.
    """

    id: str
    printed: str
    computed: str
    source: str
    count: int | None = None

    @property
    def agrees(self) -> bool:
        """Whether the paper prints what its other numbers make."""
        return self.printed == self.computed

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval (Wilson) of the accuracy behind the number, in percent."""
        if self.count is None:
            return None
        low, high = wilson(self.count / QUESTIONS, QUESTIONS)
        return 100 * low, 100 * high


def rounded(value: Fraction, like: str) -> str:
    """A number with the digits and, where it has one, the sign of the printed one."""
    digits = len(like.partition(".")[2])
    number = Decimal(value.numerator) / Decimal(value.denominator)
    text = str(number.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP))
    return f"+{text}" if like[0] == "+" and value >= 0 else text


def percent(count: int) -> Fraction:
    """A count of QUESTIONS in percent."""
    return Fraction(100 * count, QUESTIONS)


def gain(count: int, baseline: int) -> Fraction:
    """Table 1's number: the relative increase over the baseline, in percent."""
    return Fraction(100 * (count - baseline), baseline)


def counts_for_gain(printed: str, baseline: int) -> list[int]:
    """The whole counts that print as this gain."""
    near = round(baseline * (1 + Fraction(printed) / 100))
    return [
        count
        for count in range(max(0, near - 2), near + 3)
        if rounded(gain(count, baseline), printed) == printed
    ]


def whole_count(printed: str) -> int | None:
    """The count of QUESTIONS that a printed percentage is, None where it is none."""
    count = Fraction(printed) * QUESTIONS / 100
    return int(count) if count.denominator == 1 else None


def cells(tables: Tables) -> list[Cell]:
    """All cells, table by table."""
    return [
        *_sums(tables),
        *_table1(tables),
        *_table2(tables),
        *_table3(tables),
        *_table4(tables),
    ]


def _sums(tables: Tables) -> Iterator[Cell]:
    for row in tables.counts:
        name = f"{row.table}/{row.subset or '-'}/{row.method}"
        yield Cell(f"{name}/sum", str(QUESTIONS), str(row.total), "its four counts")
    six, seven = (row for row in tables.counts if row.method == "Baseline")
    yield Cell("table7/-/Baseline/as table6", _levels(seven), _levels(six), "Table 6")


def _levels(row: Counts) -> str:
    return f"{row.strongly_known} {row.known} {row.weakly_unknown} {row.unknown}"


def _table1(tables: Tables) -> Iterator[Cell]:
    baseline = tables.of("", "Baseline").recognised
    counted = {row.subset: row for row in tables.counts if row.method == "Data"}
    reference = {r["size"]: r["gain_pct"] for r in tables.printed[1] if r["selection"] == "BRS"}
    for row in tables.printed[1]:
        subset, printed = f"{row['selection']}-{row['size']}", row["gain_pct"]
        if subset in counted:
            count = counted[subset].recognised
            computed = rounded(gain(count, baseline), printed)
            source = f"Table {counted[subset].table[-1]}: {count}"
            yield Cell(f"table1/{subset}/gain", printed, computed, source, count)
        else:
            found = counts_for_gain(printed, baseline)
            whole = found[0] if len(found) == 1 else None
            source = "no whole count" if whole is None else f"inverted: {whole}"
            computed = "-" if whole is None else printed
            yield Cell(f"table1/{subset}/gain", printed, computed, source, whole)
        if row["over_brs"]:
            over = Fraction(printed) - Fraction(reference[row["size"]])
            computed = rounded(over, row["over_brs"])
            yield Cell(f"table1/{subset}/over BRS", row["over_brs"], computed, "printed gains")


def _table2(tables: Tables) -> Iterator[Cell]:
    same_as = {"Baseline": tables.of("", "Baseline"), "EECA": tables.of("HSS-50k", "L_h")}
    for row in tables.printed[2]:
        for level in ("strongly_known", "known"):
            printed = row[f"{level}_pct"]
            if row["method"] in same_as:
                count: int | None = getattr(same_as[row["method"]], level)
                source = f"Table 6: {count}"
            else:
                count = whole_count(printed)
                source = "no whole count" if count is None else f"inverted: {count}"
            computed = "-" if count is None else rounded(percent(count), printed)
            yield Cell(f"table2/{row['method']}/{level}", printed, computed, source)


def _table3(tables: Tables) -> Iterator[Cell]:
    before = None
    for row in tables.printed[3]:
        counts = tables.of("HSS-50k", row["method"])
        for column, attribute in (
            ("strongly_known", "strongly_known"),
            ("known", "known"),
            ("accuracy", "recognised"),
        ):
            count: int = getattr(counts, attribute)
            name, printed = f"table3/{row['method']}/{column}", row[f"{column}_pct"]
            accuracy = count if column == "accuracy" else None
            source = f"Table 6: {count}"
            yield Cell(name, printed, rounded(percent(count), printed), source, accuracy)
            if before is not None:
                step = count - getattr(before, attribute)
                printed = row[f"{column}_step"]
                source = f"Table 6: {step:+}"
                yield Cell(f"{name} step", printed, rounded(percent(step), printed), source)
        before = counts


def _table4(tables: Tables) -> Iterator[Cell]:
    baseline = tables.of("", "Baseline").recognised
    for row in tables.printed[4]:
        count = tables.of(row["subset"], row["method"]).recognised
        name, printed = f"table4/{row['subset']}/{row['method']}", row["accuracy_pct"]
        source = f"Table 7: {count}"
        yield Cell(f"{name}/accuracy", printed, rounded(percent(count), printed), source, count)
        if row["over_baseline"]:
            over, printed = count - baseline, row["over_baseline"]
            source = f"Table 7: {over:+}"
            yield Cell(f"{name}/over baseline", printed, rounded(percent(over), printed), source)
