"""All attacks on a judge, and constant answers, on landmarks of the calibration set."""

from __future__ import annotations

from typing import Final

from mgld.evaluate.attacks import AttackReport, attack_success, constant_accuracy
from mgld.evaluate.calibration import load_sets
from mgld.evaluate.judges.base import Judge
from mgld.evaluate.records import Question
from mgld.keyed import order_key
from mgld.schema import Record

CONSTANTS: Final = (
    "",
    "null",
    "I don't know.",
    "This is a famous landmark.",
    "The correct answer.",
    "It is a church, a castle, a lake, a mountain, a museum or a bridge.",
)
"""What a model that knows nothing might always say."""


class Attacked(Record):
    """constant: the Accuracy that each constant answer gets, None where none of it is scored."""

    report: AttackReport
    constant: dict[str, float | None]


def attack_judge(judge: Judge, questions: int, *, seed: int = 0) -> Attacked:
    """Try all attacks on at most so many landmarks of the calibration set, drawn by the seed."""
    of_landmark: dict[int, Question] = {}
    for each in load_sets():
        question = each.case().question
        of_landmark.setdefault(question.landmark_id, question)
    drawn = sorted(
        of_landmark.values(), key=lambda question: order_key(seed, "attacks", question.id)
    )[:questions]
    return Attacked(
        report=attack_success(judge, drawn),
        constant={text: constant_accuracy(judge, drawn, text) for text in CONSTANTS},
    )
