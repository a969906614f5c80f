"""Write the paper's own rows, from its Tables 6 and 7 as data: `reported.json`.

python -m benchmarks.leaderboard.reported
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from benchmarks.paper.tables import COUNTED, Counts, read_tables
from mgld.leaderboard.reported import Reported, reported, save_reported

PATH: Final = Path(__file__).parent / "reported.json"
_JUDGE: Final = "GPT-4o (version not stated)"
_METHODS: Final = {
    "Baseline": "Baseline",
    "Data": "+ data",
    "HR": "+ HR branch",
    "L_e": "+ L_e",
    "L_h": "+ L_h",
}
"""The paper's names; which of the last two builds on the other is as its tables order them."""


def rows() -> list[Reported]:
    """All rows whose counts are printed; the baseline, printed in both tables, once."""
    found = {(row.subset, row.method): row for row in reversed(read_tables().counts)}
    order = list(dict.fromkeys((row.subset, row.method) for row in read_tables().counts))
    return [_row(found[each]) for each in order]


def _row(row: Counts) -> Reported:
    name = _METHODS[row.method]
    return reported(
        f"{row.subset}: {name}" if row.subset else name,
        f"Beyond Sight (arXiv 2411.16824), Table {row.table.removeprefix('table')}",
        _JUDGE,
        {level: getattr(row, level) for level in COUNTED},
    )


if __name__ == "__main__":
    save_reported(PATH, rows())
