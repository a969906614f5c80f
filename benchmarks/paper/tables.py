"""The paper's Tables 1 to 4, 6 and 7 as they are printed, read from `tables/*.csv`.

Rows keep the paper's order. Printed numbers stay text: how many digits were printed matters. In the
files, "Data", "HR", "L_e" and "L_h" are the paper's "+ HSS-50k" or "+ 25k Data", "+ HR Branch" and
its two losses; "step", "over_baseline" and "over_brs" are the numbers it prints in parentheses.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TABLES: Final = Path(__file__).parent / "tables"
COUNTED: Final = ("strongly_known", "known", "weakly_unknown", "unknown")


@dataclass(frozen=True)
class Counts:
    """A row of Table 6 or 7: questions at each level. subset: "" for the baseline."""

    table: str
    subset: str
    method: str
    strongly_known: int
    known: int
    weakly_unknown: int
    unknown: int

    @property
    def recognised(self) -> int:
        """What the paper counts as accurate."""
        return self.strongly_known + self.known

    @property
    def total(self) -> int:
        """All questions of the row."""
        return self.recognised + self.weakly_unknown + self.unknown


@dataclass(frozen=True)
class Tables:
    """All tables; `printed` by table number, rows as in the files."""

    printed: dict[int, list[dict[str, str]]]
    counts: list[Counts]

    def of(self, subset: str, method: str) -> Counts:
        """The counts of a subset and method; of the baseline, Table 6's."""
        where = "" if method == "Baseline" else subset
        return next(row for row in self.counts if (row.subset, row.method) == (where, method))


def read_tables(folder: Path = TABLES) -> Tables:
    """Read `table1.csv` and so on of a folder."""
    rows = {number: _rows(folder / f"table{number}.csv") for number in (1, 2, 3, 4, 6, 7)}
    counts = [
        Counts(
            f"table{number}",
            row["subset"],
            row["method"],
            *(int(row[level]) for level in COUNTED),
        )
        for number in (6, 7)
        for row in rows[number]
    ]
    return Tables({number: rows[number] for number in (1, 2, 3, 4)}, counts)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))
