"""Whether answers look like what they are said to be; definitions: docs/submitting.md.

What is found here is no proof. Errors are what no honest run of a sampled model does; the rest is a
warning that readers see and maintainers look at.
"""

from __future__ import annotations

import datetime
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from mgld.evaluate.records import Answer, Question
from mgld.leaderboard.contents import Contents
from mgld.leaderboard.findings import Findings, examples

FEW: Final = 20
"""With fewer questions than this nothing is said of shares."""
LONG: Final = 20
"""Words from which five equal answers to a question are no coincidence."""
COPIED: Final = 8
"""Words in a row that are taken over from a ground truth, its names left out."""
MAX_UNSCORED: Final = 0.005
"""Share of unscored questions above which a submission is refused."""


def check_plausibility(contents: Contents, today: datetime.date, found: Findings) -> None:
    """All checks of this module; `today`, UTC, is the latest date that can be stated."""
    found.check("unscored")
    _unscored(contents, found)
    found.check("draws")
    _draws(contents, found)
    found.check("copied")
    _copied(contents, found)
    found.check("timing")
    _timing(contents, today, found)


def copied_words(questions: Sequence[Question], answers: Sequence[Sequence[Answer]]) -> list[str]:
    """Questions with an answer that repeats words of its ground truth's answer; their ids.

    Eight words in a row, without the landmark's names and places, that stand in no other question's
    ground truth: wording that many share is a style, which a model may have learnt elsewhere.
    """
    truths = [set(_runs(_words_without_names(each, each.truth.answer))) for each in questions]
    often = Counter(run for runs in truths for run in runs)
    return [
        question.id
        for question, runs, said in zip(questions, truths, answers, strict=True)
        if (own := {run for run in runs if often[run] == 1})
        and any(not own.isdisjoint(_runs(_words_without_names(question, a.text))) for a in said)
    ]


def _unscored(contents: Contents, found: Findings) -> None:
    number = sum(verdict.level == "unscored" for verdict in contents.verdicts)
    share = number / len(contents.verdicts)
    if share > MAX_UNSCORED:
        found.error(
            f"{number:,} of {len(contents.verdicts):,} questions are unscored ({share:.2%}), at "
            f"most {MAX_UNSCORED:.1%} may be: `mgld grade --retry-unscored` judges them again"
        )
    failed = sum(answer.status == "error" for each in contents.answers for answer in each)
    if failed:
        found.warning(f"{failed:,} answers are errors: `mgld answer --retry-errors` asks again")


def _draws(contents: Contents, found: Findings) -> None:
    seeds = [
        question.id
        for question, said in zip(contents.questions, contents.answers, strict=True)
        if len(known := [a.seed for a in said if a.seed is not None]) > len(set(known))
    ]
    if seeds:
        found.error(
            f"{len(seeds):,} questions have draws with one seed {examples(seeds)}: that is one "
            "draw, copied"
        )
    temperature = contents.submission.decoding.temperature
    if temperature == 0:
        found.warning("temperature 0: the five draws are one, so that pass@5 and levels say less")
        return
    texts = [[answer.text.strip() for answer in said] for said in contents.answers]
    spoken = [each for each in texts if all(each)]
    same = [each for each in spoken if len(set(each)) == 1]
    long = [each for each in spoken if min(len(text.split()) for text in each) >= LONG]
    same_long = [each for each in same if len(each[0].split()) >= LONG]
    if len(long) >= FEW and len(same_long) > len(long) / 2:
        found.error(
            f"all five draws are the same text for {len(same_long):,} of {len(long):,} questions "
            f"with answers of {LONG} words or more, at temperature {_said(temperature)}: a cache "
            "answered, or one draw was copied"
        )
    elif len(spoken) >= FEW and len(same) > 0.95 * len(spoken):
        found.error(
            f"all five draws are the same text for {len(same):,} of {len(spoken):,} questions, at "
            f"temperature {_said(temperature)}: a cache answered, or one draw was copied"
        )
    elif len(spoken) >= FEW and len(same) > len(spoken) / 2:
        found.warning(
            f"all five draws are the same text for {len(same):,} of {len(spoken):,} questions"
        )


def _copied(contents: Contents, found: Findings) -> None:
    ids = copied_words(contents.questions, contents.answers)
    share = len(ids) / len(contents.questions)
    message = (
        f"{len(ids):,} questions have an answer with {COPIED} words in a row of their own ground "
        f"truth {examples(ids)}"
    )
    if len(ids) >= 5 and share > 0.02:
        found.error(f"{message}: the ground truth was seen")
    elif ids:
        found.warning(message)


def _timing(contents: Contents, today: datetime.date, found: Findings) -> None:
    """Dates must be in the order in which things happen: asked, judged, counted, submitted."""
    metrics = contents.metrics
    steps = [
        ("answers were begun", contents.submission.began[:10]),
        ("the judge's first reply", metrics.first_reply[:10]),
        ("the judge's last reply", metrics.last_reply[:10]),
        ("metrics were made", metrics.graded[:10]),
        ("today", today.isoformat()),
    ]
    known = [(what, date) for what, date in steps if date]
    for what, date in known:
        if not _is_date(date):
            found.error(f"{what}: {date[:20]!r} is no date")
            return
    for (before, first), (after, second) in itertools.pairwise(known):
        if first > second:
            found.error(f"{before} ({first}) lies after {after} ({second})")
    if not contents.submission.began:
        found.warning("when the answers were begun is not stated")


def _is_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _words_without_names(question: Question, text: str) -> list[str]:
    truth = question.truth
    names = {
        word for name in (truth.name, *truth.aliases, *truth.place_hints) for word in _words(name)
    }
    return [word for word in _words(text) if word not in names]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _runs(words: list[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(words[at : at + COPIED]) for at in range(len(words) - COPIED + 1))


def _said(temperature: float | None) -> str:
    return "its default" if temperature is None else f"{temperature:g}"
