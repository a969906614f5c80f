"""The page of a misalignment probe: the table, the rate, and the misaligned landmarks."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mgld
from mgld.evaluate.records import JudgedBy, Level
from mgld.figures import NARROW, Drawing
from mgld.figures.levels import level_words
from mgld.figures.misalignment import draw_misalignment, draw_probe_table
from mgld.files import write_text_atomically
from mgld.report.evaluation import level_colours
from mgld.report.evaluation_cases import CaseData, Cutter, answer_row, case_row, pack
from mgld.report.evaluation_pictures import MAX_CHARACTERS, Pictures, read_pictures
from mgld.report.page import environment, plot, style_sheet
from mgld.report.probe_read import MisalignedCase, Probed, read_probe
from mgld.report.viewer import viewer_script

LEVELS: tuple[Level, ...] = ("weakly_unknown", "unknown")
"""Those that a misaligned landmark can have."""


def write_probe_report(folder: str | Path, out: str | Path) -> None:
    """Write the page of a finished probe to `out`: one HTML file that loads nothing.

    The misaligned landmarks have their pictures, where the dataset is there, up to a limit that
    the page states.

    Raises what `read_probe` raises.
    """
    found = read_probe(Path(folder))
    text = (
        environment()
        .get_template("probe.html")
        .render(_context(found), written=datetime.date.today().isoformat())
    )
    write_text_atomically(Path(out), text)


def write_probe_figures(folder: str | Path, into: str | Path) -> list[Path]:
    """Write every figure of a finished probe as SVG, PNG and CSV into `into`; the files written."""
    return [path for drawing in draw_probe(Path(folder)) for path in drawing.save(Path(into))]


def draw_probe(folder: Path) -> list[Drawing]:
    """Every figure of a finished probe: the rates, and each subset's table."""
    tables = read_probe(folder).result.tables
    drawings = [draw_misalignment(tables)]
    return drawings + [draw_probe_table(table, number=k) for k, table in enumerate(tables)]


def _context(found: Probed) -> dict[str, Any]:
    """Everything the template shows."""
    from markupsafe import Markup

    result = found.result
    pictures, at = _pictures(found)
    data = _data(found.cases, pictures, at)
    wide, narrow = draw_misalignment(result.tables), draw_misalignment(result.tables, width=NARROW)
    return {
        "result": result,
        "tables": result.tables,
        "cells": [_small(draw_probe_table(t, number=k)) for k, t in enumerate(result.tables)],
        "rates": plot(wide, narrow, _RATES),
        "judges": [("described", result.described), ("recognised", result.recognised)],
        "standin": result.model.startswith("standin:"),
        "cases": found.cases,
        "data": data,
        "counts": {
            "subset": Counter(case.subset for case in found.cases),
            "label": Counter(_label(case) for case in found.cases),
            "level": Counter(case.verdict.level for case in found.cases),
            "made": Counter(_made(case) for case in found.cases),
            "place": Counter("yes" if case.described.place else "no" for case in found.cases),
        },
        "level_names": LEVELS,
        "words": level_words,
        "pictures": pictures,
        "pictures_limit": MAX_CHARACTERS // 1_000_000,
        "facts": _facts(found),
        "style": Markup(level_colours() + style_sheet("viewer.css", "evaluation.css", "probe.css")),
        **viewer_script("cases.js", "probe.js"),
        "version": mgld.__version__,
    }


_RATES = (
    "A bar is the share of the described landmarks that are not recognised, the line on it the "
    "95 % interval. A grey line beneath says between which rates it would lie if what is unscored "
    "were scored."
)


def _small(drawing: Drawing) -> Any:
    """A figure with one drawing for all screens."""
    return plot(drawing, drawing, "")


def _label(case: MisalignedCase) -> str:
    return case.seen.question.truth.label or "(not given)"


def _made(case: MisalignedCase) -> str:
    return case.seen.question.natural_or_human_made or "(not given)"


def _pictures(found: Probed) -> tuple[Pictures, dict[int, int]]:
    """The pictures of the cases; where each case's stands, since subsets may share landmarks."""
    jpegs: dict[int, str] = {}
    credits: dict[str, list[Any]] = {}
    problems: Counter[str] = Counter()
    left_out, drawn = 0, False
    first: dict[str, int] = {}
    at = {}
    for number, case in enumerate(found.cases):
        at[number] = first.setdefault(case.seen.question.id, number)
    for subset, (_, run) in found.runs.items():
        rows = [k for k, case in enumerate(found.cases) if case.subset == subset and at[k] == k]
        if not rows:
            continue
        room = MAX_CHARACTERS - sum(map(len, jpegs.values()))
        some = read_pictures([found.cases[k].seen.question for k in rows], run.dataset, limit=room)
        jpegs |= {rows[k]: jpeg for k, jpeg in some.jpegs.items()}
        credits |= some.credits
        problems.update(some.problems)
        left_out, drawn = left_out + some.left_out, drawn or some.drawn
    return Pictures(jpegs, credits, dict(problems), left_out, drawn), at


def _data(cases: Sequence[MisalignedCase], pictures: Pictures, at: dict[int, int]) -> CaseData:
    """The cases as data, in their order."""

    def rows(cutter: Cutter) -> list[dict[str, Any]]:
        return [_row(number, case, cutter) for number, case in enumerate(cases)]

    def _row(number: int, case: MisalignedCase, cutter: Cutter) -> dict[str, Any]:
        described = case.described
        row = case_row(case.seen, case.verdict, cutter) | {
            "subset": case.subset,
            "asked": cutter.cut(case.told.question.text),
            "told": [
                answer_row(
                    answer,
                    "describes" if answer.draw in described.draws else None,
                    described.spans.get(answer.draw, ""),
                    cutter,
                )
                for answer in case.told.answers
            ],
            "why": cutter.cut(described.explanation),
            "place": described.place,
        }
        if at[number] != number:
            row["picture"] = at[number]
        if row["id"] in pictures.credits:
            row["credit"] = pictures.credits[row["id"]]
        return row

    return pack(rows)


def _facts(found: Probed) -> list[tuple[str, str]]:
    """What the probe was, as rows of words and values."""
    result = found.result
    rows = [("model", result.model)]
    for name, judge in (("told", result.described), ("seen", result.recognised)):
        rows += [(f"judge of what is {name}", judge.judge), ("its prompt hash", judge.prompt_hash)]
        rows += _replies(judge)
    text, image = next(iter(found.runs.values()))
    rows += [
        ("prompt of the text side", text.prompt_version),
        ("prompt of the image side", image.prompt_version),
        ("decoding", ", ".join(f"{name.replace('_', ' ')} {value}" for name, value
                               in result.decoding.model_dump().items() if value is not None)),
        ("draws of each side", str(result.draws)),
        ("seed", str(text.settings.seed)),
    ]  # fmt: skip
    for subset, (_, run) in found.runs.items():
        where = run.dataset
        revision = f" at {where.revision}" if where.revision else ""
        rows += [
            (f"dataset of {subset}", f"{where.source}, {where.config}/{where.split}{revision}"),
            ("its content", where.content or "not stated"),
            ("its questions' hash", f"sha256:{where.questions_sha256}"),
        ]
    return [*rows, ("made", f"{result.made}, by mgld {result.version}")]


def _replies(judge: JudgedBy) -> list[tuple[str, str]]:
    rows = []
    if judge.answered_by:
        who = ", ".join(f"{name} ({count:,})" for name, count in judge.answered_by.items())
        rows.append(("it replied as", who))
    if judge.first_reply:
        span = sorted({judge.first_reply, judge.last_reply})
        rows.append(("dates of its replies", " to ".join(span)))
    return rows
