"""From the samples that lmms-eval logs (`--log_samples`) to a file of answers, for any judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from mgld.evaluate.models.file import FileAnswer
from mgld.evaluate.records import DRAWS
from mgld.files import write_text_atomically

_ANSWERS = TypeAdapter(list[FileAnswer])


class Exported(NamedTuple):
    """How many questions, draws, and of these such as failed in the harness."""

    questions: int
    draws: int
    errors: int


def export_answers(samples: Path, out: Path) -> Exported:
    """Write the answers of `*_samples_mgld.jsonl` as `mgld answer --model file:OUT` takes them.

    FileNotFoundError: no such file. ValueError: a line is no sample of the task, a question is
    there twice, or has not five draws. Nothing is written then.
    """
    if not samples.is_file():
        raise FileNotFoundError(f"there is no file {samples}")
    seen: set[str] = set()
    answers: list[FileAnswer] = []
    with samples.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            found = _answers(line, f"{samples}, line {number}")
            question = found[0].question_id
            if question in seen:
                raise ValueError(f"{samples}, line {number}: {question} is there a second time")
            seen.add(question)
            answers += found
    if not answers:
        raise ValueError(f"{samples} is empty")
    text = "".join(json.dumps(each.model_dump(mode="json")) + "\n" for each in answers)
    write_text_atomically(out, text)
    return Exported(len(seen), len(answers), sum(each.status == "error" for each in answers))


def _answers(line: str, where: str) -> list[FileAnswer]:
    try:
        found = _ANSWERS.validate_python(json.loads(line)["accuracy"]["answers"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise ValueError(
            f"{where} is no sample of the task mgld; such a file is written by lmms-eval with "
            "--log_samples, and without --predict_only, which skips the task's own part"
        ) from error
    if [each.draw for each in found] != list(range(DRAWS)) or len(
        {each.question_id for each in found}
    ) != 1:
        raise ValueError(f"{where} has not the {DRAWS} draws of one question")
    return found
