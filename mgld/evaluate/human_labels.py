"""Levels that people gave: a CSV anyone can fill, by hand or with the labelling page.

Columns: `question_id`, `level`, and where wanted `labeller`, `note`, `answers_sha256` (of the
answers that were looked at; the labelling page fills it in). A row whose level is empty is one that
has not been labelled yet.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

from mgld.evaluate.agreement import Agreement, agreement
from mgld.evaluate.records import LEVELS, Level
from mgld.schema import Record

COLUMNS: Final = ("question_id", "level", "labeller", "note", "answers_sha256")
_REQUIRED: Final = ("question_id", "level")
# The paper's prompt calls the third level so.
_SPOKEN: Final[dict[str, Level]] = {"partially_known": "weakly_unknown"}


@dataclass(frozen=True)
class HumanLabel:
    """One person's level of one question's answers; `line` of the file it stands in."""

    question_id: str
    level: Level
    labeller: str
    note: str
    answers_sha256: str
    line: int


class PairAgreement(Record):
    """Two people's agreement on what both have labelled."""

    labellers: tuple[str, str]
    agreement: Agreement


def read_labels(path: Path) -> list[HumanLabel]:
    """The labels of a file, in its order.

    Commas or semicolons, UTF-8 with or without a mark, levels in any case and with blanks
    ("Strongly Known"). ValueError naming the line for a level that is none, a question labelled
    twice by one person, or a row of another length; FileNotFoundError where there is no file.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: save it as CSV in UTF-8") from error
    first = text.split("\n", 1)[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    labels: list[HumanLabel] = []
    seen: dict[tuple[str, str], int] = {}
    try:
        header = _header(next(rows, []), path)
        end = rows.line_num
        for row in rows:
            # A quoted note may span lines: a row is named by the line it begins on.
            line, end = end + 1, rows.line_num
            label = _label(row, header, line, path)
            if label is None:
                continue
            key = (label.question_id, label.labeller)
            if key in seen:
                who = f" by {label.labeller}" if label.labeller else ""
                raise ValueError(
                    f"{path}, line {line}: {label.question_id} is labelled{who} in line "
                    f"{seen[key]} already"
                )
            seen[key] = line
            labels.append(label)
    except csv.Error as error:
        raise ValueError(f"{path}, line {rows.line_num}: {error}") from error
    if not labels:
        raise ValueError(f"{path} has no labels: no row has a level")
    return labels


def write_labels(labels: Iterable[HumanLabel]) -> str:
    """The text of a CSV that `read_labels` reads back."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in labels:
        writer.writerow([getattr(each, column) for column in COLUMNS])
    return out.getvalue()


def majority(labels: Sequence[HumanLabel]) -> tuple[dict[str, Level], list[str]]:
    """The level most people gave to each question, and the questions where no level leads."""
    of_question: dict[str, Counter[Level]] = {}
    for label in labels:
        of_question.setdefault(label.question_id, Counter())[label.level] += 1
    levels: dict[str, Level] = {}
    tied: list[str] = []
    for question_id, votes in of_question.items():
        (level, most), *others = votes.most_common()
        if others and others[0][1] == most:
            tied.append(question_id)
        else:
            levels[question_id] = level
    return levels, tied


def between_people(labels: Sequence[HumanLabel], *, seed: int = 0) -> list[PairAgreement]:
    """Agreement of each two people on what both labelled; pairs without such are left out."""
    by_person: dict[str, dict[str, Level]] = {}
    for label in labels:
        by_person.setdefault(label.labeller, {})[label.question_id] = label.level
    pairs = []
    for a, b in combinations(sorted(by_person), 2):
        both = [each for each in by_person[a] if each in by_person[b]]
        if both:
            found = agreement(
                [by_person[a][each] for each in both],
                [by_person[b][each] for each in both],
                seed=seed,
            )
            pairs.append(PairAgreement(labellers=(a, b), agreement=found))
    return pairs


def _header(row: list[str], path: Path) -> list[str]:
    header = [name.strip().casefold() for name in row]
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        raise ValueError(
            f"{path}, line 1: no column {' or '.join(missing)}; the first line should be "
            f"{','.join(COLUMNS[:4])}"
        )
    known = [name for name in header if name in COLUMNS]
    if len(known) > len(set(known)):
        raise ValueError(f"{path}, line 1: a column is there twice")
    return header


def _label(row: list[str], header: list[str], line: int, path: Path) -> HumanLabel | None:
    if not any(cell.strip() for cell in row):
        return None
    if len(row) != len(header):
        raise ValueError(
            f"{path}, line {line}: {len(row)} cells under {len(header)} columns; a note with a "
            "comma needs quotes around it"
        )
    cells = {name: cell.strip() for name, cell in zip(header, row, strict=True) if name}
    if not cells["question_id"]:
        raise ValueError(f"{path}, line {line}: no question_id")
    if not cells["level"]:
        return None
    return HumanLabel(
        question_id=cells["question_id"],
        level=_level(cells["level"], line, path),
        labeller=cells.get("labeller", ""),
        note=cells.get("note", ""),
        answers_sha256=cells.get("answers_sha256", ""),
        line=line,
    )


def _level(said: str, line: int, path: Path) -> Level:
    key = "_".join(said.casefold().replace("-", " ").replace("_", " ").split())
    for level in LEVELS:
        if key == level:
            return level
    if key in _SPOKEN:
        return _SPOKEN[key]
    raise ValueError(f"{path}, line {line}: {said!r} is no level; levels are {', '.join(LEVELS)}")
