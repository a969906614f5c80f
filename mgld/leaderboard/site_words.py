"""What the site says of submissions, boards and numbers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from mgld.evaluate.metrics import LevelMetrics
from mgld.evaluate.questions import DatasetIdentity
from mgld.evaluate.records import LEVELS
from mgld.report.words import percent, web_address

if TYPE_CHECKING:
    from mgld.leaderboard.boards import Board, BoardKey
    from mgld.leaderboard.entry import Entry

SHORT = 8
"""Hex digits of a hash that tell it from another one at a glance."""
PROMPTS = {
    "question": "the question alone",
    "entities-ask": "asked for entities, too",
    "entities-given": "entities given",
}


def https_only(text: str | None) -> str | None:
    """`text` if it is an https address, which may stand in a link, else None."""
    address = web_address(text)
    return address if address and address.lower().startswith("https://") else None


def judge_words(key: BoardKey) -> str:
    """A judge with its prompt, and who replied under its name: `rule a101735b`."""
    replied = f", replied as {', '.join(key.replied_as)}" if key.replied_as else ""
    return f"{key.judge} {key.prompt_hash[:SHORT]}{replied}"


def asked_words(key: BoardKey) -> str:
    """How the models were asked."""
    return PROMPTS.get(key.prompt, key.prompt)


def dataset_words(board: Board) -> str:
    """What was asked, as most of the board's submissions call it: `OWNER/NAME eval/test`."""
    named = Counter(
        f"{row.submission.dataset.source} {row.submission.dataset.config}"
        f"/{row.submission.dataset.split}"
        for row in board.rows
    )
    return min(named, key=lambda name: (-named[name], name))


def board_title(board: Board) -> str:
    """One line that tells a board from all others."""
    key = board.key
    asked = "" if key.prompt == "question" else f", {asked_words(key)}"
    return f"{dataset_words(board)} ({key.questions_sha256[:SHORT]}), {judge_words(key)}{asked}"


def dataset_version(dataset: DatasetIdentity) -> str:
    """Its revision, or what its content is known by."""
    if dataset.revision:
        return dataset.revision
    if dataset.content:
        return dataset.content.removeprefix("sha256:")[:SHORT]
    return "version not stated"


def bar_style(levels: LevelMetrics) -> str:
    """Where a bar's levels end, best first, and the accuracy's interval: shares of all questions.

    The interval is of the scored ones, so it shrinks with them: it surrounds the end of `known`.
    """
    total, at, stops = max(1, levels.total), 0, []
    for name, level in zip("abcd", LEVELS, strict=True):
        at += levels.counts[level]
        stops.append(f"--{name}:{100 * at / total:.2f}%")
    if levels.accuracy_interval is not None:
        part = 100 * levels.scored / total
        stops.append(f"--lo:{part * levels.accuracy_interval.low:.2f}%")
        stops.append(f"--hi:{part * levels.accuracy_interval.high:.2f}%")
    return ";".join(stops)


def bar_words(levels: LevelMetrics) -> str:
    """The same in words, for those who do not see it."""
    parts = [
        f"{level.replace('_', ' ')} {percent(share, 1)}"
        for level, share in levels.shares.items()
        if share is not None
    ]
    return "; ".join(parts) + f"; {levels.unscored:,} unscored"


def short_between(low: float, high: float) -> str:
    """Two shares with one sign: `38.5 to 57.7 %`."""
    return f"{percent(low, 1).removesuffix(' %')} to {percent(high, 1)}"


def manifest_rows(entry: Entry) -> list[tuple[str, str]]:
    """What the submission was, as rows of words and values; what is not stated is said so."""
    submission, again = entry.submission, entry.rejudged
    where = submission.dataset
    decoding = submission.decoding.model_dump()
    rows = [
        ("submitter", submission.submitter),
        ("model", submission.model),
        ("model's repository", submission.model_repo or "not stated"),
        ("model's revision", submission.model_revision or "not stated"),
        *((name.replace("_", " "), str(of)) for name, of in submission.model_identity.items()),
        ("dataset", f"{where.source}, {where.config}/{where.split}"),
        ("dataset's revision", where.revision or "not stated"),
        ("dataset's content", where.content or "not stated"),
        ("questions", f"{where.questions:,}, sha256:{where.questions_sha256}"),
        ("prompt", f"{submission.prompt}, {submission.prompt_version}"),
        ("decoding", _pairs({k: v for k, v in decoding.items() if v is not None})),
        ("draws, seed", f"{submission.draws}, {submission.seed}"),
        ("began", submission.began or "not stated"),
        ("hardware", _pairs(submission.hardware) or "not stated"),
        ("versions", _pairs(submission.versions)),
        ("judge", submission.judge),
        ("judge's prompt hash", submission.judge_prompt_hash),
    ]
    if entry.answered_by:
        rows.append(("it replied as", _pairs(entry.answered_by)))
    if entry.first_reply:
        dates = sorted({entry.first_reply, entry.last_reply})
        rows.append(("dates of its replies", " to ".join(dates)))
    rows += [
        ("graded", entry.graded),
        ("judged again by", f"{again.judge}, prompt {again.prompt_hash}"),
        ("accepted", entry.accepted),
        ("bundle", entry.bundle),
    ]
    return rows


def _pairs(values: Any) -> str:
    return ", ".join(
        f"{str(name).replace('_', ' ')} {value:,}"
        if isinstance(value, int) and not isinstance(value, bool)
        else f"{str(name).replace('_', ' ')} {value}"
        for name, value in values.items()
    )
