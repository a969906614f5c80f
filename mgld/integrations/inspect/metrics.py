"""The numbers of a log: those of `mgld grade`, computed by the same functions.

Each gets every sample, unscored ones included, which inspect would leave out of a reduced view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from inspect_ai.scorer import Metric, SampleScore, Value, metric

from mgld.evaluate.draws import draw_metrics
from mgld.evaluate.metrics import level_metrics
from mgld.evaluate.records import LEVELS, Verdict
from mgld.integrations.inspect.samples import question_of

VERDICT: Final = "verdict"
"""Key of a score's metadata: its `Verdict`."""


@metric(scores="unreduced")
def headline() -> Metric:
    """Accuracy with its 95 % interval, clustered by landmark, and what it is a share of.

    accuracy, accuracy_low, accuracy_high, questions, scored, unscored, unscored_share, and the
    accuracy if all unscored ones were wrong (worst) or right (best). No accuracy where none scored.
    """

    def compute(scores: list[SampleScore]) -> Value:
        found = level_metrics([each.level for each in _verdicts(scores)], clusters=_places(scores))
        interval = found.accuracy_interval
        return {
            "accuracy": found.accuracy,
            "accuracy_low": interval.low if interval else None,
            "accuracy_high": interval.high if interval else None,
            "questions": found.total,
            "scored": found.scored,
            "unscored": found.unscored,
            "unscored_share": found.unscored_share,
            "worst": found.worst,
            "best": found.best,
        }

    return compute


@metric(scores="unreduced")
def levels() -> Metric:
    """The share of each level among the scored questions."""

    def compute(scores: list[SampleScore]) -> Value:
        found = level_metrics([each.level for each in _verdicts(scores)])
        return {level: found.shares[level] for level in LEVELS}

    return compute


@metric(scores="unreduced")
def draws() -> Metric:
    """pass@1 with its interval, and pass@5; nothing where the judge does not look at each draw."""

    def compute(scores: list[SampleScore]) -> Value:
        found = draw_metrics(_verdicts(scores), clusters=_places(scores))
        if found is None:
            return {}
        return {
            "pass_at_1": found.pass_at_1,
            "pass_at_1_low": found.pass_at_1_interval.low,
            "pass_at_1_high": found.pass_at_1_interval.high,
            "pass_at_5": found.pass_at_5,
        }

    return compute


def _verdicts(scores: Sequence[SampleScore]) -> list[Verdict]:
    return [Verdict.model_validate((each.score.metadata or {})[VERDICT]) for each in scores]


def _places(scores: Sequence[SampleScore]) -> list[int]:
    return [question_of(each.sample_metadata).landmark_id for each in scores]
