"""Read the records, draw the figures, write the page and what programs read of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.nano.drawing import require_build
from benchmarks.nano.encoders import read_second_encoder
from benchmarks.nano.record import RESULTS, rounded
from benchmarks.nano.report.best_rule import budgets
from benchmarks.nano.report.claims import MARGIN, RULES
from benchmarks.nano.report.contents import Contents, Picture
from benchmarks.nano.report.dispersion import read_dispersion
from benchmarks.nano.report.draw import draw_all
from benchmarks.nano.report.page import render
from benchmarks.nano.report.page_data import find_pictures
from benchmarks.nano.report.page_knowledge import read_study
from benchmarks.nano.report.page_swap import SWAP_ROWS
from benchmarks.nano.report.remarks import REMARKS, read_remarks
from benchmarks.nano.report.rows import RowNumbers, figure_rows, named_rows, table_rows
from benchmarks.nano.report.runs import Runs, read_runs
from benchmarks.nano.report.verdicts import Conclusion, conclude
from benchmarks.nano.validating import read_validation
from mgld.files import write_text_atomically

OUT = Path(__file__).parents[1] / "RESULTS.md"
CONCLUSIONS = "conclusions.json"
FIGURES = "figures"
TABLES = (1, 2, 3, 4)


def write_report(
    results: Path = RESULTS, out: Path = OUT, *, remarks: Path = REMARKS
) -> list[Conclusion]:
    """Write `out`, and beside it `conclusions.json` and `figures/`; the conclusions.

    The same records give the same bytes. ValueError: records that do not fit each other.
    """
    runs = read_runs(results)
    tables = {number: table_rows(runs, number) for number in TABLES}
    points = {number: figure_rows(runs, number) for number in (5, 7)}
    conclusions = conclude(runs)
    study = read_study(results, runs.questions)
    pictures: dict[str, list[Picture]] = {}
    for figure, drawing in draw_all(runs, points, study):
        drawing.save(out.parent / FIGURES)
        picture = Picture(drawing.name, drawing.title, drawing.alt)
        pictures.setdefault(figure, []).append(picture)
    figures = out.parent / FIGURES
    require_build(figures, runs.questions)
    pictures["data"] = find_pictures(figures)
    measured = read_dispersion(figures)
    texts = read_remarks(remarks)
    tried = read_validation(results, runs.questions)
    rules = budgets(runs)
    contents = Contents(
        runs, tables, points, conclusions, texts, pictures, rules, measured, study, tried,
        read_second_encoder(results),
    )  # fmt: skip
    write_text_atomically(out, render(contents))
    numbers = _numbers(runs, tables, points, conclusions)
    numbers["rules"] = rounded([each.model_dump(mode="json") for each in rules])
    numbers["figure3"] = rounded([each.model_dump(mode="json") for each in measured])
    text = json.dumps(numbers, indent=1, ensure_ascii=False, allow_nan=False)
    write_text_atomically(out.parent / CONCLUSIONS, text + "\n")
    return conclusions


def _numbers(
    runs: Runs,
    tables: dict[int, list[RowNumbers]],
    points: dict[int, list[RowNumbers]],
    conclusions: list[Conclusion],
) -> dict[str, Any]:
    """What the page says of claims, tables, figures and the swap. Shares, not percent."""

    def dumped(rows: list[RowNumbers]) -> list[dict[str, Any]]:
        return [row.model_dump(mode="json") for row in rows]

    found: dict[str, Any] = {
        "runs": len(runs.records),
        "test_landmarks": len(runs.landmarks()),
        "questions_sha256": runs.questions.sha256 if runs.questions else None,
        "margin": MARGIN,
        "rules": RULES,
        "claims": [each.model_dump(mode="json") for each in conclusions],
        "tables": {f"table{number}": dumped(rows) for number, rows in tables.items()},
        "figures": {f"figure{number}": dumped(rows) for number, rows in points.items()},
        "swap": {half: dumped(named_rows(runs, SWAP_ROWS, half)) for half in ("west", "east")},
    }
    result: dict[str, Any] = rounded(found)
    return result
