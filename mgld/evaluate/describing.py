"""Whether a landmark is described rightly from its name alone: the text side of the probe.

What every judge of descriptions is, and the offline rule; docs/definitions.md, "Probe", says what
that misses.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple, Protocol

from mgld.evaluate.judges.base import Case, JudgeOptions
from mgld.evaluate.records import Answer, Described, Question
from mgld.evaluate.rule.legible import read_legibly
from mgld.evaluate.rule.reading import fold_text, tokenize

OnDescribed = Callable[[int, Described], None]
"""Called with the index of a case and what was found of it."""

RULE_VERSION = 1
REFUSALS = (
    "do not know",
    "don't know",
    "not know",
    "no knowledge",
    "no information",
    "not have information",
    "not have any information",
    "not have specific information",
    "not familiar",
    "not aware",
    "not recognize",
    "not recognise",
    "unfamiliar with",
    "never heard",
    "could not find",
    "couldn't find",
    "cannot provide",
    "can't provide",
    "cannot describe",
    "can't describe",
    "unable to",
    "not sure",
    "not certain",
)
"""An answer with one of these does not describe, whatever else it says."""


class DescriptionJudge(Protocol):
    """Anything that judges descriptions; `id` and `prompt_hash` as of a `Judge`."""

    @property
    def id(self) -> str:
        """As it is called in results."""
        ...

    @property
    def prompt_hash(self) -> str:
        """Hash of all that it judges by besides a model."""
        ...

    def judge(self, cases: Sequence[Case], on_described: OnDescribed) -> None:
        """Look at every case, calling `on_described` once for each."""
        ...


class RuleDescriptionJudge:
    """Described: some draw refuses nothing and says a place or the kind that the name does not."""

    id = "rule-description"

    @cached_property
    def prompt_hash(self) -> str:
        """Hash of the rule's version and its list."""
        return hashlib.sha256(repr((RULE_VERSION, REFUSALS)).encode()).hexdigest()

    def judge(self, cases: Sequence[Case], on_described: OnDescribed) -> None:
        """Judge every case in order."""
        for number, case in enumerate(cases):
            on_described(number, self._case(case.question, case.answers))

    def _case(self, question: Question, answers: Sequence[Answer]) -> Described:
        places, kinds = _facts(question)
        said = [answer for answer in answers if answer.status != "error"]
        found = [_describes(answer, places, kinds) for answer in said]
        state, explanation, reason = "unscored", "", ""
        facts = {answer.draw: fact for answer, fact in zip(said, found, strict=True) if fact}
        by_place = [fact for fact in facts.values() if fact.said in places]
        if not places and not kinds:
            reason = "the record has no place or kind that the name does not say"
        elif not said:
            reason = "no draw has an answer"
        elif facts:
            fact = by_place[0] if by_place else next(iter(facts.values()))
            state, explanation = "described", f'says "{" ".join(fact.said)}"'
        else:
            state = "not_described"
            explanation = "no draw says a place or the kind, or each says that it does not know"
        return Described.model_validate(
            {
                "question_id": question.id,
                "state": state,
                "place": state == "described" and bool(by_place),
                "draws": list(facts) if state == "described" else [],
                "spans": {draw: fact.words for draw, fact in facts.items()}
                if state == "described"
                else {},
                "explanation": explanation,
                "reason": reason,
                "judge": self.id,
                "prompt_hash": self.prompt_hash,
            }
        )


Phrase = tuple[str, ...]


class Fact(NamedTuple):
    """A fact of the record that an answer says, and the answer's own words for it."""

    said: Phrase
    words: str


def _facts(question: Question) -> tuple[list[Phrase], list[Phrase]]:
    """Places and kinds of the record as folded words, less what its name gives away.

    A label with alternatives ("castle / fort") is any of them; if the name says one of them, the
    kind is given away. Of a label of several words the last one is enough ("buddhist temple").
    """
    name = fold_text(question.truth.name)
    places = [tuple(fold_text(hint)) for hint in question.truth.place_hints]
    kinds = [
        tuple(words[-1:])
        for part in re.split(r"[/,]|\bor\b", question.truth.label or "")
        if (words := fold_text(part))
    ]
    if any(_has(name, kind) for kind in kinds):
        kinds = []
    return [place for place in places if place and not _has(name, place)], kinds


def _describes(answer: Answer, places: list[Phrase], kinds: list[Phrase]) -> Fact | None:
    """The first fact that the answer says, places first; None if it says none, or refuses."""
    legible = read_legibly(answer.text)
    if answer.status != "ok" or legible.problem:
        return None
    tokens = tokenize(legible.text)
    worded = [at for at, word in enumerate(tokens.words) if word[0].isalnum()]
    words = [tokens.words[at] for at in worded]
    if any(_has(words, tuple(fold_text(refusal))) for refusal in REFUSALS):
        return None
    for fact in [*places, *kinds]:
        start = _find(words, fact, plural=True)
        if start is not None:
            end = start + len(fact) - 1
            return Fact(fact, tokens.quote(worded[start], worded[end] + 1))
    return None


def _has(words: Sequence[str], phrase: Phrase) -> bool:
    return _find(words, phrase) is not None


def _find(words: Sequence[str], phrase: Phrase, *, plural: bool = False) -> int | None:
    """Where `phrase` stands in `words`; with `plural` its last word may end in s or es."""
    length = len(phrase)
    for start in range(len(words) - length + 1):
        if tuple(words[start : start + length - 1]) != phrase[:-1]:
            continue
        last = words[start + length - 1]
        if last == phrase[-1] or (plural and last in (f"{phrase[-1]}s", f"{phrase[-1]}es")):
            return start
    return None


def says_place(question: Question, answer: Answer) -> bool:
    """Whether the rule finds a place of the record in an answer that the name does not say."""
    places, _ = _facts(question)
    return _describes(answer, places, []) is not None


def load_description_judge(spec: str, options: JudgeOptions | None = None) -> DescriptionJudge:
    """The judge of descriptions that `spec` names: "rule" or "openai:MODEL"; else ValueError."""
    name, _, rest = spec.partition(":")
    if spec == "rule":
        return RuleDescriptionJudge()
    if name == "openai":
        from mgld.evaluate.describing_model import model_description_judge

        return model_description_judge(rest, options or JudgeOptions())
    raise ValueError(f"no judge of descriptions is called {spec!r}; there are: rule, openai:MODEL")
