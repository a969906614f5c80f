"""How often attacks get a better verdict than the same answers without them.

Definition: docs/definitions.md, "Grading".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mgld.evaluate.attacks.attack_set import (
    KINDS,
    Attack,
    Base,
    Kind,
    attacks_hash,
    fields,
    load_attacks,
    load_bases,
)
from mgld.evaluate.judges.base import Case, Judge
from mgld.evaluate.metrics import level_metrics
from mgld.evaluate.records import LEVELS, Answer, Decoding, Question, State, Verdict
from mgld.schema import Record

MOST_EXAMPLES = 20


class Raised(Record):
    """An attack that worked: on which answers to which question, from what to what."""

    attack: str
    kind: Kind
    base: str
    question_id: str
    before: State
    after: State
    text: str
    explanation: str


class KindShare(Record):
    """Trials of one kind of attack, and how many raised or lowered the verdict."""

    kind: Kind
    attacks: int
    trials: int
    raised: int
    lowered: int


class AttackReport(Record):
    """What came of all attacks on all bases of all questions.

    raised: trials whose verdict is better than that of the answers without the attack; a verdict
    that becomes unscored counts as raised too, since it takes the question out of the count.
    lowered: trials whose verdict became worse; that harms nobody but who attacks. untried: attacks
    on answers that the judge leaves unscored as they are; they can show nothing, and are no trials.
    """

    judge: str
    prompt_hash: str
    attacks_hash: str
    attacks: int
    questions: int
    trials: int
    untried: int
    raised: int
    lowered: int
    kinds: list[KindShare]
    examples: list[Raised]

    @property
    def success(self) -> float | None:
        """Share of the trials that raised a verdict; None without trials, which proves nothing."""
        return self.raised / self.trials if self.trials else None

    def in_words(self) -> str:
        """`RAISED of TRIALS trials (SHARE)`, and what could not be tried."""
        share = "" if self.success is None else f" ({self.success:.2%})"
        untried = f"; {self.untried:,} could not be tried, the judge leaves their answers unscored"
        return f"{self.raised:,} of {self.trials:,} trials{share}{untried if self.untried else ''}"


@dataclass(frozen=True)
class _Trial:
    attack: Attack
    base: Base
    before: int
    case: Case


def attack_success(
    judge: Judge,
    questions: Sequence[Question],
    *,
    attacks: Sequence[Attack] | None = None,
    bases: Sequence[Base] | None = None,
) -> AttackReport:
    """Try every attack on every base of every question; all five answers carry the attack.

    It asks for (attacks + 1) x bases verdicts a question: with a judge that costs money, give few.
    """
    attacks = load_attacks() if attacks is None else attacks
    bases = load_bases() if bases is None else bases
    others = [question.truth.name for question in questions]
    plain: list[Case] = []
    trials: list[_Trial] = []
    for question in questions:
        values = fields(question.truth.name, question.text, others)
        for base in bases:
            texts = base.fill(values)
            plain.append(_case(question, texts))
            for attack in attacks:
                attacked = [attack.apply(text, values) for text in texts]
                trials.append(_Trial(attack, base, len(plain) - 1, _case(question, attacked)))
    before = _judge_all(judge, plain)
    every, trials = trials, [each for each in trials if before[each.before].level != "unscored"]
    after = _judge_all(judge, [trial.case for trial in trials])
    moved = [
        _moved(before[trial.before].level, verdict.level)
        for trial, verdict in zip(trials, after, strict=True)
    ]
    examples = [
        Raised(
            attack=trial.attack.id,
            kind=trial.attack.kind,
            base=trial.base.id,
            question_id=trial.case.question.id,
            before=before[trial.before].level,
            after=verdict.level,
            text=trial.case.answers[0].text[:2000],
            explanation=verdict.explanation or verdict.reason,
        )
        for trial, verdict, step in zip(trials, after, moved, strict=True)
        if step > 0
    ]
    kinds = [trial.attack.kind for trial in trials]
    return AttackReport(
        judge=judge.id,
        prompt_hash=judge.prompt_hash,
        attacks_hash=attacks_hash(),
        attacks=len(attacks),
        questions=len(questions),
        trials=len(trials),
        untried=len(every) - len(trials),
        raised=sum(step > 0 for step in moved),
        lowered=sum(step < 0 for step in moved),
        kinds=[
            KindShare(
                kind=kind,
                attacks=sum(attack.kind == kind for attack in attacks),
                trials=kinds.count(kind),
                raised=sum(step > 0 for step, of in zip(moved, kinds, strict=True) if of == kind),
                lowered=sum(step < 0 for step, of in zip(moved, kinds, strict=True) if of == kind),
            )
            for kind in KINDS
        ],
        examples=examples[:MOST_EXAMPLES],
    )


def constant_accuracy(judge: Judge, questions: Sequence[Question], text: str) -> float | None:
    """Accuracy of a model that always answers `text`; None where the judge scores none of it."""
    verdicts = _judge_all(judge, [_case(question, [text] * 5) for question in questions])
    return level_metrics([verdict.level for verdict in verdicts]).accuracy


def _moved(before: State, after: State) -> int:
    """Positive where the verdict got better for who answered; `before` is a level."""
    if before == after:
        return 0
    if after == "unscored":
        return 1
    return LEVELS.index(before) - LEVELS.index(after)


def _judge_all(judge: Judge, cases: Sequence[Case]) -> list[Verdict]:
    verdicts: dict[int, Verdict] = {}
    judge.judge(cases, lambda index, verdict: verdicts.__setitem__(index, verdict))
    return [verdicts[index] for index in range(len(cases))]


def _case(question: Question, texts: Sequence[str]) -> Case:
    answers = tuple(
        Answer(
            question_id=question.id,
            draw=draw,
            text=text,
            status="ok",
            model="attack",
            prompt_version="attack",
            decoding=Decoding(),
        )
        for draw, text in enumerate(texts)
    )
    return Case(question, answers)
