"""The rule judge: deterministic, offline; docs/definitions.md, "Grading"."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

from mgld.annotate.names import split_name
from mgld.evaluate.judges.base import Case, OnVerdict
from mgld.evaluate.judges.levels import level_of
from mgld.evaluate.records import DRAWS, Answer, Verdict
from mgld.evaluate.rule.naming import find_mentions, landmark_names
from mgld.evaluate.rule.places import gazetteer, landmark_places
from mgld.evaluate.rule.reading import Tokens, fold_name, tokenize
from mgld.evaluate.rule.weighing import Landmark, Weighed, know_landmark, weigh
from mgld.evaluate.rule.words import words_hash

RULE_VERSION = 4
"""Goes up with every change of the rule's code that can change a verdict."""


class RuleJudge:
    """The judge called "rule"."""

    @property
    def id(self) -> str:
        """Always "rule"."""
        return "rule"

    @property
    def prompt_hash(self) -> str:
        """Hash of the rule's version and word lists."""
        return rule_hash()

    def judge(self, cases: Sequence[Case], on_verdict: OnVerdict) -> None:
        """Judge every case in order. A question that names its landmark leaves it unscored."""
        for index, case in enumerate(cases):
            truth = case.question.truth
            landmark = known_landmark(
                truth.name, tuple(truth.aliases), tuple(truth.place_hints), truth.label
            )
            if not landmark.names.forms:  # a name without letters: nothing could identify it
                on_verdict(index, _unscored("no name to compare answers with"))
            elif find_mentions(_asked(case.question.text), landmark.names):
                on_verdict(index, _unscored("the question names the landmark"))
            else:
                on_verdict(index, _verdict(landmark, _by_draw(case.answers)))


def rule_judge(
    truth: str,
    answers: Sequence[str | None],
    *,
    aliases: Iterable[str] = (),
    hints: Iterable[str] = (),
    label: str | None = None,
) -> Verdict:
    """The verdict on the answers to a question about the landmark called `truth`.

    Offline and on the strict side: docs/definitions.md, "Judges".

    Args:
        truth: the landmark's name.
        answers: in the order of their draws, at most five; None for one that is missing.
        aliases: further names that identify it.
        hints: places it is in.
        label: its hierarchical label.

    Returns:
        The verdict: `level` is one of the four, or "unscored" with a `reason`.

    Raises:
        ValueError: more than five answers, or an empty truth.
    """
    if len(answers) > DRAWS:
        raise ValueError(f"{len(answers)} answers; a level is said of at most {DRAWS}")
    if not truth.strip():
        raise ValueError("no name to compare answers with")
    landmark = known_landmark(truth, tuple(aliases), tuple(hints), label)
    return _verdict(landmark, [*answers, *[None] * (DRAWS - len(answers))])


@cache
def rule_hash() -> str:
    """SHA-256 (hex) of the rule's version and its word lists: the judge's prompt_hash."""
    return hashlib.sha256(f"rule {RULE_VERSION} {words_hash()}".encode()).hexdigest()


@lru_cache(maxsize=512)
def known_landmark(
    name: str, aliases: tuple[str, ...], hints: tuple[str, ...], label: str | None
) -> Landmark:
    """What answers are compared with, kept for the landmarks judged last."""
    names = landmark_names(name, aliases, label)
    places = landmark_places([*hints, *split_name(name).places, *_places_in(name)])
    return know_landmark(names, places)


@lru_cache(maxsize=256)
def _asked(question: str) -> Tokens:
    return tokenize(question)


def _places_in(name: str) -> list[str]:
    """Known places among the words of a name: "Seattle Art Museum" is in Seattle."""
    said = fold_name(split_name(name).bare)
    runs = (said[at : at + length] for length in (1, 2, 3) for at in range(len(said)))
    known = gazetteer()
    return [" ".join(run) for run in runs if known.get(run, (None, True))[1] is False]


def _by_draw(answers: Iterable[Answer]) -> list[str | None]:
    """The text of each draw 0 to 4; "" of a refused one, None of one that failed or is missing."""
    texts: list[str | None] = [None] * DRAWS
    seen: set[int] = set()
    for answer in answers:
        if 0 <= answer.draw < DRAWS and answer.draw not in seen and answer.status != "error":
            seen.add(answer.draw)
            texts[answer.draw] = answer.text if answer.status == "ok" else ""
    return texts


def _verdict(landmark: Landmark, answers: Sequence[str | None]) -> Verdict:
    weighed = {
        draw: weigh(answer, landmark) for draw, answer in enumerate(answers) if answer is not None
    }
    if not weighed:
        return _unscored("no answer is there")
    identified = [draw for draw, each in weighed.items() if each.weight == "identifies"]
    hinted = [draw for draw, each in weighed.items() if each.weight == "hints"]
    return Verdict(
        level=level_of(len(identified), len(hinted)),
        explanation=_explain(weighed, identified, hinted),
        judge="rule",
        prompt_hash=rule_hash(),
        identified=identified,
        hinted=hinted,
        spans={draw: weighed[draw].span for draw in (*identified, *hinted)},
    )


def _explain(weighed: dict[int, Weighed], identified: list[int], hinted: list[int]) -> str:
    """In words: what each answer that counts says, and what became of the others."""
    parts = [f"{len(identified)} of {DRAWS} answers identify it."]
    for draw in identified:
        parts.append(f'Answer {draw + 1} names it: "{weighed[draw].span}".')
    for draw in hinted:
        each = weighed[draw]
        parts.append(f'Answer {draw + 1} hints at it, {each.why}: "{each.span}".')
    for draw, each in weighed.items():
        if each.weight == "neither":
            span = f': "{each.span}"' if each.span else ""
            parts.append(f"Answer {draw + 1}: {each.why}{span}.")
    if len(weighed) < DRAWS:
        parts.append(
            f"{DRAWS - len(weighed)} of {DRAWS} answers are missing and count for nothing."
        )
    return " ".join(parts)


def _unscored(reason: str) -> Verdict:
    return Verdict(
        level="unscored", explanation="", judge="rule", prompt_hash=rule_hash(), reason=reason
    )
