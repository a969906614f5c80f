"""An accepted submission as the board keeps it: not the answers, but enough to count them again.

`entries/NAME-ID.json` holds one, `questions/HASH.jsonl` what all submissions about the same
questions share. Every number of an entry follows from its own letters and that file.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from mgld.evaluate.breakdown import Breakdowns, break_down
from mgld.evaluate.draws import DrawMetrics, draw_metrics
from mgld.evaluate.metrics import LevelMetrics, level_metrics
from mgld.evaluate.records import LEVELS, Answer, Question, State, Truth, Verdict
from mgld.files import write_text_atomically
from mgld.keyed import digest
from mgld.leaderboard.contents import Contents
from mgld.leaderboard.manifest import Sha256, Submission
from mgld.leaderboard.rejudge import Rejudged
from mgld.schema import Record

_LETTERS: Final[dict[State, str]] = {
    **dict(zip(LEVELS, ("S", "K", "W", "U"), strict=True)),
    "unscored": "-",
}
_STATES: Final = {letter: state for state, letter in _LETTERS.items()}
_PRINT: Final = 8
"""Hex digits by which a question's five answers are known again."""
NO_PRINT: Final = "0" * _PRINT
"""Of answers that are no one's own."""
_WORDS: Final = {"o": "ok", "e": "empty", "r": "refused", "x": "error"}


class QuestionFacts(Record):
    """What results are counted and broken down by, of one question."""

    id: str
    landmark_id: int
    name: str
    label: str | None
    natural_or_human_made: str | None
    sim: float | None
    rsr: float | None
    images: int | None


class Numbers(Record):
    """An entry's numbers, all of which `count` makes again. answers: draws by status."""

    levels: LevelMetrics
    draws: DrawMetrics | None
    breakdowns: Breakdowns
    answers: dict[str, int]


class Entry(Record):
    """One accepted submission; letters are by question, in the order of its `QuestionFacts`.

    outcomes: S, K, W, U for the levels, best first, and - for unscored. identified: how many draws
    identify the landmark, None where the judge does not say. statuses: of the five draws: o(k),
    e(mpty), r(efused), x (an error). answer_prints: eight hex digits of the five answers, by which
    the same answers under another name are found. answered_by, first_reply, last_reply, graded: of
    the judge, see `RunMetrics`. rejudged: how it was verified; accepted: when, UTC.
    """

    format: Literal[1] = 1
    bundle: Sha256
    submission: Submission
    outcomes: str
    identified: str | None
    statuses: str
    answer_prints: str
    answered_by: dict[str, int]
    first_reply: str
    last_reply: str
    graded: str
    rejudged: Rejudged
    accepted: str
    numbers: Numbers

    def states(self) -> list[State]:
        """The level, or unscored, of each question."""
        return [_STATES[letter] for letter in self.outcomes]

    def prints(self) -> list[str]:
        """The answers' prints, one a question."""
        return re.findall("." * _PRINT, self.answer_prints)

    @property
    def slug(self) -> str:
        """Its file's name, without the ending."""
        return entry_slug(self.submission.name, self.bundle)


def entry_slug(name: str, bundle: str) -> str:
    """A submission's name and bundle id as a part of a path."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    return f"{slug or 'entry'}-{bundle[:8]}"


def make_entry(contents: Contents, bundle: str, rejudged: Rejudged, accepted: str) -> Entry:
    """The entry of a verified bundle; accepted: the date, UTC."""
    verdicts, metrics = contents.verdicts, contents.metrics
    draws = [verdict.identified for verdict in verdicts]
    known = all(
        each is not None or verdict.level == "unscored"
        for each, verdict in zip(draws, verdicts, strict=True)
    )
    outcomes = "".join(_LETTERS[verdict.level] for verdict in verdicts)
    identified = "".join(str(len(each or ())) for each in draws) if known else None
    statuses = "".join(_status(answer) for said in contents.answers for answer in said)
    return Entry(
        bundle=bundle,
        submission=contents.submission,
        outcomes=outcomes,
        identified=identified,
        statuses=statuses,
        answer_prints="".join(answer_prints(contents.answers)),
        answered_by=metrics.answered_by,
        first_reply=metrics.first_reply,
        last_reply=metrics.last_reply,
        graded=metrics.graded,
        rejudged=rejudged,
        accepted=accepted,
        numbers=count(facts_of(contents.questions), outcomes, identified, statuses),
    )


def count(
    facts: Sequence[QuestionFacts], outcomes: str, identified: str | None, statuses: str
) -> Numbers:
    """The numbers of an entry from its letters. ValueError where they do not fit the questions."""
    if len(outcomes) != len(facts) or len(statuses) != 5 * len(facts):
        raise ValueError(f"{len(outcomes)} outcomes for {len(facts)} questions")
    questions = [
        Question(
            id=each.id,
            landmark_id=each.landmark_id,
            text="",
            image_sha256="",
            truth=Truth(name=each.name, label=each.label),
            natural_or_human_made=each.natural_or_human_made,
            sim=each.sim,
            rsr=each.rsr,
            images=each.images,
        )
        for each in facts
    ]
    states = [_STATES[letter] for letter in outcomes]
    clusters = [each.landmark_id for each in facts]
    draws = [None] * len(facts) if identified is None else [list(range(int(n))) for n in identified]
    verdicts = [
        Verdict(level=state, explanation="", judge="", prompt_hash="", identified=of)
        for state, of in zip(states, draws, strict=True)
    ]
    return Numbers(
        levels=level_metrics(states, clusters=clusters),
        draws=draw_metrics(verdicts, clusters=clusters),
        breakdowns=break_down(questions, states),
        answers=dict(sorted(Counter(_WORDS[letter] for letter in statuses).items())),
    )


def answer_prints(answers: Sequence[Sequence[Answer]]) -> list[str]:
    """A print of each question's five answers, whatever their order, case and blanks.

    Of answers that several questions have it is all zeros: "I do not know" is no one's own.
    """
    said = [sorted(" ".join(a.text.casefold().split()) for a in each) for each in answers]
    often = Counter(map(tuple, said))
    return [
        digest(0, "answer print", json.dumps([each[0].question_id, texts])).hex()[:_PRINT]
        if often[tuple(texts)] == 1
        else NO_PRINT
        for each, texts in zip(answers, said, strict=True)
    ]


def facts_of(questions: Sequence[Question]) -> list[QuestionFacts]:
    """What the board keeps of the questions."""
    return [
        QuestionFacts(
            id=each.id,
            landmark_id=each.landmark_id,
            name=each.truth.name,
            label=each.truth.label,
            natural_or_human_made=each.natural_or_human_made,
            sim=each.sim,
            rsr=each.rsr,
            images=each.images,
        )
        for each in questions
    ]


def save_entry(folder: Path, entry: Entry, questions: Sequence[Question]) -> Path:
    """Write an entry and what its questions are into the board's folder; the entry's file."""
    rows = "".join(json.dumps(each.model_dump()) + "\n" for each in facts_of(questions))
    write_text_atomically(_facts_path(folder, entry), rows)
    path = folder / "entries" / f"{entry.slug}.json"
    write_text_atomically(path, entry.model_dump_json(indent=1) + "\n")
    return path


def read_entries(folder: Path) -> list[Entry]:
    """The entries of a board's folder.

    Args:
        folder: the board's folder, e.g. benchmarks/leaderboard.

    Returns:
        All of them, by file name; none where the folder has none.

    Raises:
        ValueError: a file is no entry.
    """
    return list(iter_entries(folder))


def iter_entries(folder: Path) -> Iterator[Entry]:
    """The same one by one: a thousand of them with all their numbers are 1 GB in memory."""
    for path in sorted((folder / "entries").glob("*.json")):
        try:
            yield Entry.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise ValueError(f"{path} is no entry of this mgld: {error}") from error


def read_facts(folder: Path, entry: Entry) -> list[QuestionFacts]:
    """The questions of an entry, in its order. FileNotFoundError where they are not there."""
    lines = _facts_path(folder, entry).read_text(encoding="utf-8").split("\n")[:-1]
    return [QuestionFacts.model_validate_json(line) for line in lines]


def _facts_path(folder: Path, entry: Entry) -> Path:
    name = entry.submission.dataset.questions_sha256[:16]
    return folder / "questions" / f"{name}.jsonl"


def _status(answer: Answer) -> str:
    if answer.status == "ok":
        return "o" if answer.text.strip() else "e"
    return "r" if answer.status == "refused" else "x"
