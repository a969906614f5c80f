"""Two judges, or two protocols of one, on the same answers: where do they differ?

Before results of different judges are put side by side, this says what changing the judge does.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from mgld.evaluate.agreement import Agreement, agreement
from mgld.evaluate.breakdown import SCORES
from mgld.evaluate.graded import read_rows, verdicts_of
from mgld.evaluate.metrics import LevelMetrics, level_metrics
from mgld.evaluate.records import Judged, Level, Question, State
from mgld.schema import Record


class JudgeResult(Record):
    """One judge on the run. levels: on all questions that both judged."""

    judge: str
    prompt_hash: str
    levels: LevelMetrics


class Difference(Record):
    """A question on which two judges differ, with why each says so (or why it is unscored)."""

    question_id: str
    landmark: str
    first: State
    second: State
    first_explanation: str
    second_explanation: str


class JudgeComparison(Record):
    """Two judges on one run.

    questions: those that both judged; not_in_both: those that only one did. agreement: of the
    second (columns) with the first (rows) on the questions that the first scored. differences: the
    widest apart first; those that just one of them scored come last.
    """

    first: JudgeResult
    second: JudgeResult
    questions: int
    not_in_both: int
    agreement: Agreement
    differences: list[Difference]


def compare_judges(folder: Path, first: str, second: str) -> JudgeComparison:
    """Compare two judges' verdicts on the run in `folder`.

    first, second: judges as in `verdicts_of`.

    ValueError: no such verdicts, the two are the same, a damaged file, or the two judged different
    answers.
    """
    questions = {each.id: each for each in read_rows(folder / "questions.jsonl", Question)}
    paths = [verdicts_of(folder, name) for name in (first, second)]
    if paths[0] == paths[1]:
        raise ValueError(f"{first} and {second} are the same verdicts")
    of_first, of_second = (_last(path, questions) for path in paths)
    ids = [each for each in questions if each in of_first and each in of_second]
    if not ids:
        raise ValueError(f"no question of {folder} was judged by both {first} and {second}")
    for each in ids:
        if of_first[each].answers_sha256 != of_second[each].answers_sha256:
            raise ValueError(
                f"{first} and {second} judged different answers to {each}; `mgld grade` both again"
            )
    states = [[of[each].verdict.level for each in ids] for of in (of_first, of_second)]
    landmarks = [questions[each].landmark_id for each in ids]
    rows = [row for row, state in enumerate(states[0]) if state != "unscored"]
    differences = [
        Difference(
            question_id=each,
            landmark=questions[each].truth.name,
            first=states[0][row],
            second=states[1][row],
            first_explanation=_why(of_first[each]),
            second_explanation=_why(of_second[each]),
        )
        for row, each in enumerate(ids)
        if states[0][row] != states[1][row]
    ]
    return JudgeComparison(
        first=_result(of_first[ids[0]], states[0], landmarks),
        second=_result(of_second[ids[0]], states[1], landmarks),
        questions=len(ids),
        not_in_both=len(of_first.keys() ^ of_second.keys()),
        agreement=agreement(
            [cast(Level, states[0][row]) for row in rows],
            [states[1][row] for row in rows],
            clusters=[landmarks[row] for row in rows],
        ),
        differences=sorted(differences, key=_nearness),
    )


def _last(path: Path, questions: dict[str, Question]) -> dict[str, Judged]:
    """The verdict that counts on each question; ValueError for one on a question not asked."""
    found = {judged.question_id: judged for judged in read_rows(path, Judged)}
    if strangers := found.keys() - questions.keys():
        raise ValueError(f"{path}: question {min(strangers)} was not asked")
    return found


def _result(judged: Judged, states: list[State], landmarks: list[int]) -> JudgeResult:
    return JudgeResult(
        judge=judged.verdict.judge,
        prompt_hash=judged.verdict.prompt_hash,
        levels=level_metrics(states, clusters=landmarks),
    )


def _why(judged: Judged) -> str:
    verdict = judged.verdict
    return "; ".join(each for each in (verdict.reason, verdict.explanation) if each)


def _nearness(difference: Difference) -> tuple[int, str]:
    if "unscored" in (difference.first, difference.second):
        return 0, difference.question_id
    apart = abs(SCORES[difference.first] - SCORES[difference.second])
    return -apart, difference.question_id
