"""A bundle's rows, read and held against each other: every question, five draws, one verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import ValidationError

from mgld.evaluate.judges.shown import answers_sha256
from mgld.evaluate.records import DRAWS, Answer, Judged, Question, Verdict
from mgld.evaluate.run_metrics import RunMetrics
from mgld.leaderboard.container import ANSWERS, METRICS, QUESTIONS, VERDICTS
from mgld.leaderboard.findings import Findings, examples
from mgld.leaderboard.manifest import Submission, file_hashes
from mgld.schema import Record

MAX_QUESTIONS: Final = 20_000
"""Of a bundle; `test` of the published dataset has 5,000."""
MAX_TEXT: Final = 100_000
"""Characters of an answer."""
R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Contents:
    """A bundle's rows by question, in the order of `questions.jsonl`."""

    submission: Submission
    questions: list[Question]
    answers: list[tuple[Answer, ...]]
    verdicts: list[Verdict]
    metrics: RunMetrics


def check_hashes(files: dict[str, bytes], submission: Submission, found: Findings) -> None:
    """Whether the files are those that the manifest was written for."""
    found.check("hashes")
    stated: dict[str, object] = {name: each.model_dump() for name, each in submission.files.items()}
    for name, actual in file_hashes(files).items():
        if stated.get(name) != actual:
            found.error(
                f"{name} is not the file that submission.yaml states (its SHA-256 is "
                f"{actual['sha256'][:12]}...): it was changed after `mgld submit prepare`"
            )
    asked = submission.dataset.questions_sha256
    if hashlib.sha256(files[QUESTIONS]).hexdigest() != asked:
        found.error(f"{QUESTIONS} is not what the run was asked, whose hash is {asked[:12]}...")


def read_contents(
    files: dict[str, bytes], submission: Submission, found: Findings
) -> Contents | None:
    """The rows of a bundle, complete and each once; None where they are not, which is found."""
    found.check("questions")
    questions = _read_questions(files[QUESTIONS], submission, found)
    if found.failed:
        return None
    found.check("answers")
    answers = _read_answers(files[ANSWERS], submission, list(questions), found)
    if found.failed:
        return None
    found.check("verdicts")
    by_question = _read_verdicts(files[VERDICTS], submission, questions, answers, found)
    found.check("metrics")
    try:
        metrics = RunMetrics.model_validate_json(files[METRICS])
    except ValidationError as error:
        found.error(_said(METRICS, error))
        return None
    if found.failed:
        return None
    verdicts = [by_question[each] for each in questions]
    return Contents(submission, list(questions.values()), list(answers.values()), verdicts, metrics)


def _read_questions(data: bytes, submission: Submission, found: Findings) -> dict[str, Question]:
    questions: dict[str, Question] = {}
    asked = submission.dataset
    for row in _rows(QUESTIONS, data, Question, MAX_QUESTIONS, found):
        if row.id in questions:
            found.error(f"question {row.id[:80]} is there twice")
            break
        questions[row.id] = row
    if not found.failed and len(questions) != asked.questions:
        found.error(f"{len(questions):,} questions; the run was asked {asked.questions:,}")
    if asked.config != "eval" or asked.split not in ("test", "test_paper"):
        found.error(
            f"asked about split {asked.split} of {asked.config}: submissions are about test or "
            "test_paper of eval"
        )
    if submission.prompt != "question":
        found.warning(
            f"asked with the prompt {submission.prompt}, which says more than the question: such "
            "results stand apart"
        )
    if not (asked.revision or asked.content):
        found.warning("the dataset's revision is not stated: answer with --revision TAG")
    return questions


def _read_answers(
    data: bytes, submission: Submission, ids: list[str], found: Findings
) -> dict[str, tuple[Answer, ...]]:
    draws: dict[str, dict[int, Answer]] = {each: {} for each in ids}
    for row in _rows(ANSWERS, data, Answer, len(ids) * DRAWS, found):
        where = f"{row.question_id[:80]}, draw {row.draw}"
        if row.question_id not in draws:
            found.error(f"an answer to {row.question_id[:80]!r}, which is no question here")
        elif not 0 <= row.draw < DRAWS:
            found.error(f"{where}: draws are 0 to {DRAWS - 1}")
        elif row.draw in draws[row.question_id]:
            found.error(f"{where} is there twice")
        elif len(row.text) > MAX_TEXT:
            found.error(f"{where} has {len(row.text):,} characters, at most {MAX_TEXT:,} are taken")
        for name in ("model", "prompt_version", "decoding"):
            if getattr(row, name) != getattr(submission, name):
                found.error(
                    f"{where} has another {name} than submission.yaml states: answers of one run "
                    "belong together, and no other model's are among them"
                )
        if found.failed:
            return {}
        draws[row.question_id][row.draw] = row
    short = [each for each, of in draws.items() if len(of) < DRAWS]
    if short and not found.failed:
        found.error(
            f"{len(short):,} of {len(ids):,} questions have fewer than {DRAWS} draws "
            f"{examples(short)}; `mgld answer` goes on there"
        )
    if found.failed:
        return {}
    return {each: tuple(of[draw] for draw in range(DRAWS)) for each, of in draws.items()}


def _read_verdicts(
    data: bytes,
    submission: Submission,
    questions: dict[str, Question],
    answers: dict[str, tuple[Answer, ...]],
    found: Findings,
) -> dict[str, Verdict]:
    verdicts: dict[str, Verdict] = {}
    others: list[str] = []
    by = (submission.judge, submission.judge_prompt_hash)
    for row in _rows(VERDICTS, data, Judged, len(questions), found):
        where = row.question_id[:80]
        if row.question_id not in questions:
            found.error(f"a verdict on {where!r}, which is no question here")
        elif row.question_id in verdicts:
            found.error(f"{where} has two verdicts")
        elif (row.verdict.judge, row.verdict.prompt_hash) != by:
            found.error(
                f"{where} was judged by {row.verdict.judge[:80]} with prompt "
                f"{row.verdict.prompt_hash[:12]}..., not as submission.yaml states"
            )
        if found.failed:
            return {}
        verdicts[row.question_id] = row.verdict
        if row.answers_sha256 != answers_sha256(
            questions[row.question_id], answers[row.question_id]
        ):
            others.append(row.question_id)
    if others:
        found.error(
            f"{len(others):,} verdicts are about other answers or another truth than the bundle "
            f"has {examples(others)}: answers were put in after they were judged"
        )
    missing = [each for each in questions if each not in verdicts]
    if missing and not found.failed:
        found.error(f"{len(missing):,} questions have no verdict {examples(missing)}")
    return verdicts


def _rows(name: str, data: bytes, kind: type[R], most: int, found: Findings) -> Iterator[R]:
    """Rows up to the first that is none; at most so many, since more would only fill memory."""
    if data and not data.endswith(b"\n"):
        found.error(f"{name} is cut: its last line does not end")
        return
    start = number = 0
    while start < len(data):
        end = data.index(b"\n", start)
        number += 1
        if number > most:
            found.error(f"{name} has more than the {most:,} rows that it can have")
            return
        try:
            row = kind.model_validate_json(data[start:end])
        except ValidationError as error:
            found.error(_said(f"{name}, line {number}", error))
            return
        yield row
        start = end + 1


def _said(where: str, error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    at = ".".join(map(str, first["loc"]))[:80]
    return f"{where}: {at + ': ' if at else ''}{first['msg'][:200]}"
