"""A judge held against labels: the calibration set's, or those that people gave to a run's answers.

Definition: docs/definitions.md, "Agreement".
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import mgld
from mgld.evaluate.agreement import Agreement, agreement
from mgld.evaluate.calibration import KINDS, load_sets, sets_sha256
from mgld.evaluate.human_labels import PairAgreement, between_people, majority, read_labels
from mgld.evaluate.judges.base import Case, Judge
from mgld.evaluate.judges.drift import judged_by
from mgld.evaluate.judges.shown import answers_sha256
from mgld.evaluate.records import LEVELS, JudgedBy, Level, State, Verdict
from mgld.schema import Record

BUILTIN = "builtin"
_KNOWN: tuple[Level, ...] = ("strongly_known", "known")


class KindResult(Record):
    """How many sets of one kind the judge gave the level they should get."""

    kind: str
    items: int
    right: int


class Disagreement(Record):
    """A question that the judge did not give its label; `why`: the label's reason or notes."""

    question_id: str
    landmark: str
    kinds: list[str]
    label: Level
    judged: State
    why: str
    explanation: str

    @property
    def distance(self) -> int:
        """Levels apart; unscored counts as farther than any level."""
        if self.judged == "unscored":
            return len(LEVELS)
        return abs(LEVELS.index(self.label) - LEVELS.index(self.judged))


class Calibration(Record):
    """What came of it.

    judged_by: as whom the judge replied, and when; None for one that asks nobody. labels:
    "builtin", or the name of the file. labellers: people it has labels of, None for the built-in
    set. tied: questions people could not agree on, left out. too_high, too_low: verdicts better or
    worse than the label. recognised_*: shares of strongly known and known among the scored, by
    label and by judge: what the disagreement does to Accuracy; None where nothing is scored.
    """

    judge: str
    prompt_hash: str
    judged_by: JudgedBy | None
    version: str
    date: str
    labels: str
    labels_sha256: str
    labellers: int | None
    landmarks: int
    tied: list[str]
    agreement: Agreement
    too_high: int
    too_low: int
    recognised_labels: float | None
    recognised_judge: float | None
    kinds: list[KindResult]
    disagreements: list[Disagreement]
    people: list[PairAgreement]


@dataclass(frozen=True)
class _Labelled:
    case: Case
    level: Level
    why: str
    kinds: tuple[str, ...]


def calibrate(
    judge: Judge, labels: str | Path = BUILTIN, *, cases: Sequence[Case] | None = None
) -> Calibration:
    """Let `judge` judge what is labelled and compare.

    labels: "builtin", or a CSV (`mgld.evaluate.human_labels`). cases: what the CSV is about; None:
    the answers of the built-in set. ValueError where a label is about no case, or about other
    answers than those.
    """
    if labels == BUILTIN:
        items = [
            _Labelled(each.case(), each.level, each.why, tuple(each.kinds))
            for each in load_sets()
        ]  # fmt: skip
        return _compare(judge, items, BUILTIN, sets_sha256())
    path = Path(labels)
    given = read_labels(path)
    by_id = {case.question.id: case for case in cases or [each.case() for each in load_sets()]}
    for label in given:
        case = by_id.get(label.question_id)
        if case is None:
            raise ValueError(
                f"{path}, line {label.line}: there is no question {label.question_id!r} with "
                "answers; --run names the folder of the run that was labelled"
            )
        if label.answers_sha256 not in ("", answers_sha256(case.question, case.answers)):
            raise ValueError(
                f"{path}, line {label.line}: {label.question_id} was labelled with other answers "
                "than those that are here"
            )
    levels, tied = majority(given)
    notes: dict[str, list[str]] = {}
    for label in given:
        if label.note:
            notes.setdefault(label.question_id, []).append(label.note)
    items = [
        _Labelled(by_id[each], level, " / ".join(notes.get(each, [])), ())
        for each, level in levels.items()
    ]
    return _compare(
        judge,
        items,
        path.name,
        sha256(path.read_bytes()).hexdigest(),
        labellers=len({label.labeller for label in given}),
        tied=tied,
        people=between_people(given),
    )


def _compare(
    judge: Judge,
    items: Sequence[_Labelled],
    labels: str,
    labels_sha256: str,
    *,
    labellers: int | None = None,
    tied: Sequence[str] = (),
    people: Sequence[PairAgreement] = (),
) -> Calibration:
    verdicts = _verdicts(judge, [item.case for item in items])
    by = judged_by(verdicts)
    states = [verdict.level for verdict in verdicts]
    clusters = [item.case.question.landmark_id for item in items]
    pairs = [
        (LEVELS.index(item.level), LEVELS.index(state))
        for item, state in zip(items, states, strict=True)
        if state != "unscored"
    ]
    known = len(_KNOWN)
    wrong = [
        Disagreement(
            question_id=item.case.question.id,
            landmark=item.case.question.truth.name,
            kinds=list(item.kinds),
            label=item.level,
            judged=verdict.level,
            why=item.why,
            explanation=verdict.explanation or verdict.reason,
        )
        for item, verdict in zip(items, verdicts, strict=True)
        if verdict.level != item.level
    ]
    return Calibration(
        judge=judge.id,
        prompt_hash=judge.prompt_hash,
        judged_by=by if by.replies() else None,
        version=mgld.__version__,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        labels=labels,
        labels_sha256=labels_sha256,
        labellers=labellers,
        landmarks=len(set(clusters)),
        tied=list(tied),
        agreement=agreement([item.level for item in items], states, clusters=clusters),
        too_high=sum(judged < label for label, judged in pairs),
        too_low=sum(judged > label for label, judged in pairs),
        recognised_labels=_share([label < known for label, _ in pairs]),
        recognised_judge=_share([judged < known for _, judged in pairs]),
        kinds=_by_kind(items, states),
        disagreements=sorted(wrong, key=lambda each: (-each.distance, each.question_id)),
        people=list(people),
    )


def _verdicts(judge: Judge, cases: Sequence[Case]) -> list[Verdict]:
    """One verdict a case, whatever order they come in; RuntimeError where the judge breaks that."""
    found: dict[int, Verdict] = {}

    def take(index: int, verdict: Verdict) -> None:
        if index in found or not 0 <= index < len(cases):
            raise RuntimeError(f"judge {judge.id} gave a second verdict on case {index}, or none's")
        found[index] = verdict

    judge.judge(cases, take)
    if len(found) < len(cases):
        raise RuntimeError(f"judge {judge.id} gave {len(found)} verdicts on {len(cases)} cases")
    return [found[index] for index in range(len(cases))]


def _by_kind(items: Sequence[_Labelled], states: Sequence[State]) -> list[KindResult]:
    results = []
    for kind in KINDS:
        of_kind = [
            state == item.level
            for item, state in zip(items, states, strict=True)
            if kind in item.kinds
        ]
        if of_kind:
            results.append(KindResult(kind=kind, items=len(of_kind), right=sum(of_kind)))
    return results


def _share(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None
