"""Results that a publication prints: shown beside submissions, marked, and never ranked with them.

Nobody of the board has seen their answers or verdicts; only the counts are known, so that intervals
take each question as a landmark of its own.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from mgld.evaluate.metrics import LevelMetrics, level_metrics
from mgld.evaluate.records import Level
from mgld.files import write_text_atomically
from mgld.schema import Record

MARK = "reported by the paper, not re-run"


class Reported(Record):
    """One row. source: where it is printed; judge: as it is described there."""

    name: str
    source: str
    mark: str
    judge: str
    levels: LevelMetrics


def reported(name: str, source: str, judge: str, counts: dict[Level, int]) -> Reported:
    """A row from its printed counts. ValueError for a level that is none."""
    states = [level for level, count in counts.items() for _ in range(count)]
    levels = level_metrics(states)
    return Reported(name=name, source=source, mark=MARK, judge=judge, levels=levels)


_ROWS = TypeAdapter(list[Reported])


def save_reported(path: Path, rows: list[Reported]) -> None:
    """Write the rows as JSON."""
    write_text_atomically(path, _ROWS.dump_json(rows, indent=1).decode() + "\n")


def read_reported(path: Path) -> list[Reported]:
    """Read them. ValueError where the file has others."""
    try:
        return _ROWS.validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path} has no rows of this mgld: {error}") from error
