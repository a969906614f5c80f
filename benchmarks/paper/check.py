"""Recompute what can be recomputed of the paper's tables, and name what does not fit.

python -m benchmarks.paper.check [--json]

Exit code 0 if everything agrees or disagrees as expected.yaml says, 1 if anything else does.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks.paper.cells import Cell, cells
from benchmarks.paper.claims import Finding, findings
from benchmarks.paper.tables import COUNTED, TABLES, Tables, read_tables

EXPECTED: Final = Path(__file__).parent / "expected.yaml"
_NOTE: Final = (
    "Intervals in brackets after a difference: 95 %, as if the two had been asked different "
    "questions, since which questions changed is not printed; paired ones would most likely be "
    "narrower. All intervals take each question as a landmark of its own."
)
_HEADER: Final = ("", "recognised", "computed", "printed", "accuracy, 95 %")
_TITLES: Final = {
    "table1": "Table 1: gain over the baseline, %",
    "table2": "Table 2: shares, %",
    "table3": "Table 3: accuracy on HSS-50k, %",
    "table4": "Table 4: accuracy, %",
    "table6": "Table 6: counts",
    "table7": "Table 7: counts",
}
"""Heads of what is shown of each table."""


def outcome(tables: Tables) -> dict[str, Any]:
    """All that expected.yaml states: what agrees, what does not, the numbers of every finding.

    And the sums of Tables 6 and 7 by level, since weakly_unknown and unknown are printed nowhere
    else: only that pins how a row's remainder is divided between the two.
    """
    found = cells(tables)
    agree: dict[str, int] = {}
    for cell in found:
        table = cell.id.split("/")[0]
        agree[table] = agree.get(table, 0) + cell.agrees
    return {
        "cells that agree": agree,
        "cells that disagree": {
            cell.id: {"printed": cell.printed, "computed": cell.computed}
            for cell in found
            if not cell.agrees
        },
        "inverted to whole counts": {
            cell.id: cell.source for cell in found if cell.source.startswith("inverted")
        },
        "sums by level": {
            table: {
                level: sum(getattr(row, level) for row in tables.counts if row.table == table)
                for level in COUNTED
            }
            for table in ("table6", "table7")
        },
        "findings": {each.name: {"kind": each.kind, **each.numbers} for each in findings(tables)},
    }


def differences(found: Any, expected: Any, where: str = "") -> list[str]:
    """What is not as expected, a line each."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return [
            line
            for key in sorted({*found, *expected})
            for line in differences(found.get(key), expected.get(key), f"{where} > {key}")
        ]
    return [] if found == expected else [f"{where[3:]}: found {found}, expected {expected}"]


def main(arguments: list[str] | None = None, folder: Path = TABLES) -> int:
    """Print the check of the tables in `folder`; the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.paper.check", description=__doc__)
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    as_json = parser.parse_args(arguments).json
    tables = read_tables(folder)
    found, named = cells(tables), findings(tables)
    expected = yaml.safe_load(EXPECTED.read_text(encoding="utf-8"))
    new = differences(outcome(tables), expected)
    if as_json:
        rows = [asdict(cell) | {"agrees": cell.agrees, "interval": cell.interval} for cell in found]
        body = {"as_expected": not new, "new": new, "cells": rows}
        print(json.dumps(body | {"findings": [asdict(each) for each in named]}, indent=1))
    else:
        _show(found, named)
        for line in new:
            print(f"NOT AS EXPECTED: {line}")
        print("all as expected.yaml says" if not new else f"{len(new)} not as expected.yaml says")
    return 1 if new else 0


def _show(found: list[Cell], named: list[Finding]) -> None:
    """Accuracies and gains as a table; the other cells as a sum; then the findings in words."""
    # Every row that says something of its own: accuracies, gains, and whatever disagrees.
    shown = [cell for cell in found if cell.count is not None or not cell.agrees]
    rows = {cell: (_row(cell), *_values(cell)) for cell in shown}
    widths = [max(len(row[i]) for row in (*rows.values(), _HEADER)) for i in range(len(_HEADER))]
    for name, title in _TITLES.items():
        part = [cell for cell in shown if cell.id.startswith(f"{name}/")]
        if part and sys.stdout.isatty():
            _table(title, [(rows[cell], cell.agrees) for cell in part], widths)
        elif part:
            print(title)
            for row in (_HEADER, *(rows[cell] for cell in part)):
                padded = [f"{text:<{width}}" for text, width in zip(row, widths, strict=True)]
                print(f"  {'  '.join(padded)}".rstrip())
    agreeing = sum(cell.agrees for cell in found)
    print(
        f"\n{agreeing} of {len(found)} checks agree. Those not listed above all do: sums of rows,"
    )
    print("shares of levels, steps, and changes in parentheses.\n")
    for each in named:
        print(f"{each.kind}: {each.name}")
        print(_wrapped("  paper:   ", each.says))
        print(_wrapped("  numbers: ", each.shows))
    print(_wrapped("\n", _NOTE))


def _table(title: str, rows: list[tuple[tuple[str, ...], bool]], widths: list[int]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name, width in zip(_HEADER, widths, strict=True):
        table.add_column(name, min_width=width)
    for row, agrees in rows:
        table.add_row(*map(escape, row), style="" if agrees else "bold red")
    Console().print(table)


def _wrapped(first: str, text: str) -> str:
    return textwrap.fill(
        text, 100, initial_indent=first, subsequent_indent=" " * len(first.lstrip("\n"))
    )


def _row(cell: Cell) -> str:
    """`HDS-25k, Data`, with what is printed there where it is not the table's main number."""
    _, *place = cell.id.split("/")
    return ", ".join(place[:-1] if place[-1] in ("gain", "accuracy") else place)


def _values(cell: Cell) -> tuple[str, str, str, str]:
    """The other columns."""
    printed = cell.printed if cell.agrees else f"{cell.printed}  DISAGREES"
    interval = ""
    if cell.interval is not None:
        interval = f"{cell.interval[0]:.2f} to {cell.interval[1]:.2f}"
    return cell.source, cell.computed, printed, interval


if __name__ == "__main__":
    sys.exit(main())
