"""Which submissions can be ranked together, and how they rank.

A board is one set of questions, one judge with one prompt (and, of a model, one model that replied
under its name), and one way of asking. Between boards nothing is ranked.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from mgld.evaluate.metrics import LevelMetrics
from mgld.keyed import digest
from mgld.leaderboard.entry import Entry, QuestionFacts, iter_entries, read_facts
from mgld.leaderboard.manifest import Submission
from mgld.leaderboard.ranking import Rank, rank_intervals


@dataclass(frozen=True, order=True)
class BoardKey:
    """What all submissions to a board have in common.

    replied_as: as whom the judge's endpoint replied; results of two models under one name are as
    little comparable as those of two names (`mgld compare` refuses them, too).
    """

    questions_sha256: str
    judge: str
    prompt_hash: str
    replied_as: tuple[str, ...]
    prompt: str

    @property
    def id(self) -> str:
        """A short name for addresses."""
        return "b" + digest(0, "board", repr(self)).hex()[:10]


@dataclass(frozen=True)
class Row:
    """What the table shows of one entry; place: its rank, None where nothing is scored."""

    slug: str
    submission: Submission
    levels: LevelMetrics
    outcomes: str
    accepted: str
    place: Rank | None = None


@dataclass(frozen=True)
class Board:
    """Its rows, best first, and its questions in the order of the outcomes' letters."""

    key: BoardKey
    rows: list[Row]
    facts: list[QuestionFacts]

    @property
    def ranked(self) -> int:
        """How many have a rank."""
        return sum(row.place is not None for row in self.rows)


def board_key(entry: Entry) -> BoardKey:
    """The board that an entry belongs to."""
    submission = entry.submission
    return BoardKey(
        submission.dataset.questions_sha256,
        submission.judge,
        submission.judge_prompt_hash,
        tuple(sorted(entry.answered_by)),
        submission.prompt,
    )


def read_boards(records: Path) -> list[Board]:
    """All boards of a folder of records.

    Args:
        records: the board's folder, e.g. benchmarks/leaderboard.

    Returns:
        The boards, the largest first, each with its rows ranked.

    Raises:
        ValueError: a file is no entry, has other counts than its letters, or two entries are one
            bundle.
        FileNotFoundError: there are no records, or no facts of their questions.
    """
    if not (records / "entries").is_dir():
        raise FileNotFoundError(
            f"{records} has no entries/: --records is the folder that `mgld submit verify "
            "--accept` writes to"
        )
    rows: dict[BoardKey, list[Row]] = {}
    facts: dict[str, list[QuestionFacts]] = {}
    slugs: set[str] = set()
    for entry in iter_entries(records):
        if entry.slug in slugs:
            raise ValueError(f"{records} has the bundle of {entry.slug} twice")
        slugs.add(entry.slug)
        key = board_key(entry)
        if key.questions_sha256 not in facts:
            facts[key.questions_sha256] = read_facts(records, entry)
        _require_counts(entry, len(facts[key.questions_sha256]))
        row = Row(
            entry.slug, entry.submission, entry.numbers.levels, entry.outcomes, entry.accepted
        )
        rows.setdefault(key, []).append(row)
    boards = [
        Board(key, _ranked(of, facts[key.questions_sha256]), facts[key.questions_sha256])
        for key, of in rows.items()
    ]
    return sorted(boards, key=lambda board: (-len(board.rows), board.key))


def _require_counts(entry: Entry, questions: int) -> None:
    """ValueError where what is shown is not what the letters say."""
    levels = entry.numbers.levels
    told = dict(zip("SKWU-", (*levels.counts.values(), levels.unscored), strict=True))
    if len(entry.outcomes) != questions or Counter(entry.outcomes) != Counter(told):
        raise ValueError(
            f"{entry.slug}: its numbers are not those of its {len(entry.outcomes):,} letters and "
            f"{questions:,} questions"
        )


def _ranked(rows: list[Row], facts: list[QuestionFacts]) -> list[Row]:
    """The rows with their ranks, best first; accuracy, then the alphabet where ranks are equal."""
    places = rank_intervals([row.outcomes for row in rows], [each.landmark_id for each in facts])

    def best_first(row: Row) -> tuple[float, float, str]:
        accuracy = row.levels.accuracy
        if row.place is None or accuracy is None:
            return (math.inf, 0.0, row.slug)
        return (row.place.rank, -accuracy, row.slug)

    placed = [replace(row, place=place) for row, place in zip(rows, places, strict=True)]
    return sorted(placed, key=best_first)
