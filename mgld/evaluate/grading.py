"""From a run's answers to verdicts and metrics: `mgld grade`.

A verdict is bound to what it is about by `answers_sha256`: where answers, question or truth have
changed since, the question is judged again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

import mgld
from mgld.evaluate.answer_file import read_answers
from mgld.evaluate.graded import read_rows
from mgld.evaluate.judges.base import Case, Judge
from mgld.evaluate.judges.shown import answers_sha256
from mgld.evaluate.records import DRAWS, Answer, Judged, Question, Verdict
from mgld.evaluate.run_metrics import FORMAT, RunMetrics, run_metrics
from mgld.evaluate.verdict_file import VerdictFile
from mgld.files import sha256_file, write_text_atomically

QUESTIONS_FILE, ANSWERS_FILE = "questions.jsonl", "answers.jsonl"
LEDGER_FILE = "judge-ledger.sqlite"
"""Replies of judges, in the run's folder. Not the ledger of answers: each has its own budget."""


class Graded(NamedTuple):
    """What grading did. before: verdicts that were there already; judged: those made now."""

    metrics: RunMetrics
    verdicts_path: Path
    metrics_path: Path
    before: int
    judged: int


def grade_run(
    folder: Path,
    judge: Judge,
    *,
    retry_unscored: bool = False,
    on_start: Callable[[int, int], None] = lambda todo, total: None,
    on_verdicts: Callable[[int], None] = lambda number: None,
) -> Graded:
    """Judge every question of the run in `folder` that has no verdict of `judge` on its answers.

    retry_unscored: also those that were left unscored. on_start is told how many are to be judged,
    of how many; on_verdicts, as verdicts are written, how many more.

    ValueError: no run, answers are missing, a damaged file, another process is grading with this
    judge. GatherStoppedError: budget, time or endpoint; what was judged is kept.
    """
    cases = read_cases(folder)
    with VerdictFile(folder, judge.id, judge.prompt_hash) as file:
        hashes = [answers_sha256(case.question, case.answers) for case in cases]
        todo = [
            row
            for row, case in enumerate(cases)
            if _verdict(file, case, hashes[row], retry_unscored) is None
        ]
        on_start(len(todo), len(cases))
        if todo:
            file.metrics_path.unlink(missing_ok=True)  # it would speak of fewer verdicts
            _judge(judge, cases, hashes, todo, file, on_verdicts)
        verdicts = [_verdict(file, case, hashes[row]) for row, case in enumerate(cases)]
        metrics = _metrics(folder, file, cases, [each for each in verdicts if each is not None])
    return Graded(metrics, file.path, file.metrics_path, len(cases) - len(todo), len(todo))


def read_cases(folder: Path) -> list[Case]:
    """The questions of a run with their answers by draw, in the order of `questions.jsonl`.

    ValueError: no such run, an answer to no question or a draw twice, or answers are missing: a
    level of fewer than five draws is not comparable with others.
    """
    for name in (QUESTIONS_FILE, ANSWERS_FILE):
        if not (folder / name).is_file():
            raise ValueError(f"{folder} is no folder of a run: it has no {name}")
    questions = {each.id: each for each in read_rows(folder / QUESTIONS_FILE, Question)}
    if not questions:
        raise ValueError(f"{folder / QUESTIONS_FILE} has no question")
    draws: dict[str, dict[int, Answer]] = {id: {} for id in questions}
    for answer in read_answers(folder / ANSWERS_FILE):
        of = draws.get(answer.question_id)
        if of is None:
            raise ValueError(f"{folder}: there is an answer to {answer.question_id!r}, not asked")
        if answer.draw in of or not 0 <= answer.draw < DRAWS:
            raise ValueError(
                f"{folder}: {answer.question_id} has a second draw {answer.draw}, or one that is "
                f"not of 0 to {DRAWS - 1}"
            )
        of[answer.draw] = answer
    short = [id for id, of in draws.items() if len(of) < DRAWS]
    if short:
        raise ValueError(
            f"{folder}: {len(short):,} of {len(questions):,} questions have fewer than {DRAWS} "
            f"answers ({short[0]}, ...); `mgld answer` goes on there. A draw that failed for good "
            'is a row of status "error"'
        )
    return [
        Case(question, tuple(draws[id][draw] for draw in range(DRAWS)))
        for id, question in questions.items()
    ]


def _judge(
    judge: Judge,
    cases: list[Case],
    hashes: list[str],
    todo: list[int],
    file: VerdictFile,
    on_verdicts: Callable[[int], None],
) -> None:
    """Have the cases `todo` judged, each verdict written as it comes, one for each."""
    waiting = set(range(len(todo)))

    def write(number: int, verdict: Verdict) -> None:
        waiting.remove(number)
        row = todo[number]
        file.add(
            Judged(question_id=cases[row].question.id, answers_sha256=hashes[row], verdict=verdict)
        )
        on_verdicts(1)

    judge.judge([cases[row] for row in todo], write)
    if waiting:
        raise RuntimeError(f"the judge {judge.id} gave no verdict on {len(waiting)} questions")


def _verdict(
    file: VerdictFile, case: Case, answers_hash: str, retry_unscored: bool = False
) -> Verdict | None:
    """The verdict on these very answers, if there is one."""
    last = file.last(case.question.id)
    if last is None or last.answers_sha256 != answers_hash:
        return None
    return None if retry_unscored and last.verdict.level == "unscored" else last.verdict


def _metrics(
    folder: Path, file: VerdictFile, cases: list[Case], verdicts: list[Verdict]
) -> RunMetrics:
    """The metrics of these verdicts: those on disk where they are of the same, else new ones."""
    inputs = metrics_inputs(folder, file.path)
    try:
        there = RunMetrics.model_validate_json(file.metrics_path.read_bytes())
        if there.inputs == inputs:
            return there
    except (FileNotFoundError, ValidationError):
        pass
    metrics = run_metrics(
        [case.question for case in cases],
        [case.answers for case in cases],
        verdicts,
        inputs=inputs,
    )
    write_text_atomically(file.metrics_path, metrics.model_dump_json(indent=1) + "\n")
    return metrics


def metrics_inputs(folder: Path, verdicts: Path) -> str:
    """What `RunMetrics.inputs` is of these files as they are now."""
    files = (folder / QUESTIONS_FILE, folder / ANSWERS_FILE, verdicts)
    parts = (FORMAT, mgld.__version__, *map(sha256_file, files))
    return hashlib.sha256(repr(parts).encode()).hexdigest()
