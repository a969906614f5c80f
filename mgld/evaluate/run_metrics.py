"""What one judge's verdicts on one run come to: `metrics-<judge>.json`.

Definition: docs/definitions.md, "Judges".
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import mgld
from mgld.evaluate.breakdown import Breakdowns, break_down
from mgld.evaluate.draws import DrawMetrics, draw_metrics
from mgld.evaluate.judges.drift import changed, replied_as
from mgld.evaluate.judges.ensemble import MemberAgreement, member_agreement
from mgld.evaluate.metrics import LevelMetrics, level_metrics
from mgld.evaluate.records import LEVELS, Answer, Question, Verdict
from mgld.schema import Record

FORMAT: Final = 1
"""Goes up when metrics come to be made differently; those of an older format are made again."""


class RunMetrics(Record):
    """A run's result, with the judge, its prompt and its dates, without which it says nothing.

    models: under test. answered_by: as whom the judge's endpoint replied, with counts, of an
    ensemble by member; judge_changed: where that was more than one model under one name, in words,
    else "". first_reply, last_reply: their dates, "" for a
    judge that asks nobody. graded: when these numbers were made, and by which `version`.
    decided_by: counts, of a combined judge. answers: draws by status, "empty" for those without
    text. unscored: by reason. judge_is_model: the judge is the model under test.
    inputs: hash of the questions, answers and verdicts they were made from.
    """

    format: int = FORMAT
    models: list[str]
    judge: str
    prompt_hash: str
    answered_by: dict[str, int]
    judge_changed: str
    first_reply: str
    last_reply: str
    graded: str
    version: str
    decided_by: dict[str, int]
    answers: dict[str, int]
    unscored: dict[str, int]
    judge_is_model: bool
    levels: LevelMetrics
    draws: DrawMetrics | None
    breakdowns: Breakdowns
    agreement: MemberAgreement | None
    inputs: str

    def lines(self) -> list[str]:
        """The result in words: the headline first, then the levels, then what one must know."""
        levels = self.levels
        lines = [levels.headline()]
        for level in LEVELS:
            share, interval = levels.shares[level], levels.share_intervals[level]
            if share is not None and interval is not None:
                between = f"{interval.low:.2%} to {interval.high:.2%}"
                lines.append(f"{level:<15}{levels.counts[level]:>7,}  {share:>7.2%}  ({between})")
        lines += [f"unscored: {count:,} {reason}" for reason, count in self.unscored.items()]
        if self.decided_by:
            lines.append(f"decided by: {_counts(self.decided_by)}")
        if self.agreement:
            found = self.agreement
            lines.append(
                f"all members agree on {found.unanimous:,} of the {found.scored_by_all:,} "
                "questions that all of them scored"
            )
        return lines + [f"note: {note}" for note in self.notes()]

    def notes(self) -> list[str]:
        """What a reader of the headline must know besides."""
        notes = []
        if self.judge_changed:
            notes.append(f"the judge changed under its name; replies by {self.judge_changed}")
        if self.judge_is_model:
            notes.append("the judge is the model under test: it grades itself")
        if len(self.models) > 1:
            notes.append(f"these are answers of {len(self.models)} models")
        if failed := self.answers.get("error", 0):
            total = sum(self.answers.values())
            notes.append(
                f"{failed:,} of {total:,} answers are errors and identify nothing (`mgld answer "
                "--retry-errors`)"
            )
        return notes


def run_metrics(
    questions: Sequence[Question],
    answers: Sequence[Sequence[Answer]],
    verdicts: Sequence[Verdict],
    *,
    inputs: str,
) -> RunMetrics:
    """The metrics of one run; the three by question, in one order. ValueError where there is none.

    Every question counts: an unscored one is in `levels.unscored`, never left out.
    """
    if not verdicts:
        raise ValueError("a run without questions has no metrics")
    landmarks = [question.landmark_id for question in questions]
    levels = [verdict.level for verdict in verdicts]
    models = sorted({answer.model for each in answers for answer in each})
    dates = sorted({verdict.date for verdict in verdicts} - {""})
    judge = verdicts[0].judge
    return RunMetrics(
        models=models,
        judge=judge,
        prompt_hash=verdicts[0].prompt_hash,
        answered_by={
            f"{name} = {model}" if name else model: count
            for name, of in replied_as(verdicts).items()
            for model, count in of.most_common()
        },
        judge_changed=changed(verdicts),
        first_reply=dates[0] if dates else "",
        last_reply=dates[-1] if dates else "",
        graded=datetime.datetime.now(datetime.UTC).date().isoformat(),
        version=mgld.__version__,
        decided_by=_count(verdict.decided_by for verdict in verdicts),
        answers=_count(_kind(answer) for each in answers for answer in each),
        unscored=_count(_why(verdict) for verdict in verdicts if verdict.level == "unscored"),
        judge_is_model=any(_asks(judge, model) for model in models),
        levels=level_metrics(levels, clusters=landmarks),
        draws=draw_metrics(verdicts, clusters=landmarks),
        breakdowns=break_down(questions, levels),
        agreement=member_agreement(verdicts),
        inputs=inputs,
    )


def _kind(answer: Answer) -> str:
    return "empty" if answer.status == "ok" and not answer.text.strip() else answer.status


def _why(verdict: Verdict) -> str:
    """The kind of a reason: what stands before its first colon or semicolon."""
    return verdict.reason.split(":")[0].split(";")[0][:60] or "no reason given"


def _asks(judge: str, model: str) -> bool:
    """Whether one of the judges in an id is the model, e.g. `openai:gpt-4.1:paper`.

    A model of an inspect log is called as inspect calls it, `inspect:openai/gpt-4.1`.
    """
    if model.startswith("inspect:"):
        model = model.removeprefix("inspect:").replace("/", ":", 1)
    return any(part.endswith((f"{model}:paper", f"{model}:strict")) for part in judge.split(","))


def _count(values: Iterable[str]) -> dict[str, int]:
    found = Counter(value for value in values if value)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _counts(values: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in values.items())
