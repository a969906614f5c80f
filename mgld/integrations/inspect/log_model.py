"""`inspect:LOG`: the answers of an inspect log, so that `mgld grade` takes what inspect asked.

mgld answer --model inspect:logs/2026-..._mgld_....eval --data DATA --out RUN
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from mgld.evaluate.models.base import Asked, ModelOptions, OnAnswer
from mgld.evaluate.records import Answer, Question
from mgld.files import sha256_file

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample


def load(rest: str, options: ModelOptions) -> InspectLogModel:
    """The model `inspect:REST`, by the entry-point group `mgld.models`."""
    return InspectLogModel(rest)


class InspectLogModel:
    """A log of the task `mgld/mgld` as a model; see `Model`.

    FileNotFoundError: there is no such file. ValueError: it is no log of this task, or inspect_ai
    is not installed.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        if not self._path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        if find_spec("inspect_ai") is None:
            raise ValueError(
                "logs of inspect are read by inspect_ai, which is not here: "
                "install mgld with its extra `inspect` (or: pip install inspect-ai)"
            )
        self._header = self._read(header_only=True)
        task = self._header.eval.task_registry_name or self._header.eval.task
        if task != "mgld/mgld":
            raise ValueError(f"{path} is a log of the task {task}, not of mgld/mgld")

    @property
    def id(self) -> str:
        """`inspect:` and the model's name as inspect has it."""
        return f"inspect:{self._header.eval.model}"

    def identity(self) -> dict[str, Any]:
        """The log's hash, and what made it when."""
        return {
            "log_sha256": sha256_file(self._path),
            "created": self._header.eval.created,
            "inspect_ai": self._header.eval.packages.get("inspect_ai", version("inspect_ai")),
        }

    def answer(self, asked: Sequence[Asked], on_answer: OnAnswer) -> None:
        """Take the wanted draws from the log; samples that failed in inspect are left out.

        ValueError: it is about other questions, or they were put with another prompt or decoding.
        Nothing is taken then.
        """
        found = {each.question.id: self._answers(each) for each in asked}
        strange = self._samples.keys() - found.keys()
        if strange:
            raise ValueError(
                f"{self._path}: {len(strange):,} of its samples are about no question of this "
                f"split ({min(strange)}, ...); say the --split and --limit that inspect had"
            )
        for each in asked:
            for draw in each.draws:
                line = found[each.question.id].get(draw)
                if line is not None:
                    # As it is kept there; the id is the same, or the log was changed.
                    on_answer(line.model_copy(update={"model": self.id}))

    def _answers(self, asked: Asked) -> dict[int, Answer]:
        sample = self._samples.get(asked.question.id)
        rows = [] if sample is None else (sample.store or {}).get("answers", [])
        if sample is None or not rows:
            return {}
        try:
            question = Question.model_validate((sample.metadata or {}).get("question"))
            answers = {each.draw: each for each in map(Answer.model_validate, rows)}
        except ValidationError as error:
            raise ValueError(f"{self._path}: sample {sample.id} is not as made: {error}") from error
        if question != asked.question or len(answers) != len(rows):
            raise ValueError(
                f"{self._path}: question {sample.id} is another one in this dataset, or has a draw "
                "twice; give the --data and --revision that inspect had"
            )
        for answer in answers.values():
            self._require_same(answer, asked)
        return answers

    def _require_same(self, answer: Answer, asked: Asked) -> None:
        if answer.prompt_version != asked.prompt_version:
            raise ValueError(
                f"{self._path} was asked with prompt {answer.prompt_version}, not with "
                f"{asked.prompt_version}"
            )
        if answer.decoding != asked.decoding:
            made, here = answer.decoding.model_dump_json(), asked.decoding.model_dump_json()
            raise ValueError(
                f"{self._path} was made with {made}, this run says {here}; say the same"
            )

    @cached_property
    def _samples(self) -> dict[str, EvalSample]:
        samples: dict[str, EvalSample] = {}
        for sample in self._read(header_only=False).samples or []:
            if str(sample.id) in samples:
                raise ValueError(f"{self._path} has sample {sample.id} twice: more than one epoch")
            samples[str(sample.id)] = sample
        return samples

    def _read(self, *, header_only: bool) -> EvalLog:
        from inspect_ai.log import read_eval_log

        try:
            return read_eval_log(str(self._path), header_only=header_only)
        except Exception as error:  # zip, JSON, pydantic, its own: whatever a file can be
            raise ValueError(f"{self._path} is no log of inspect: {error}") from error
