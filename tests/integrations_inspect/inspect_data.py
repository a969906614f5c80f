"""Runs of the task with inspect's own mock model, which says what a function says."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mgld.cli import main
from mgld.evaluate.questions import open_questions
from mgld.evaluate.records import Question
from mgld.llm.images import data_url
from mgld.llm.request import Parameters

WHY = "inspect_ai is not in this environment: `make test` runs these in .venv-inspect"
pytest.importorskip("inspect_ai", reason=WHY)

from inspect_ai import eval as run_eval  # noqa: E402
from inspect_ai.log import EvalLog  # noqa: E402
from inspect_ai.model import Model, ModelOutput, ModelUsage, StopReason, get_model  # noqa: E402

TESTS = Path(__file__).parents[1]
for folder in ("evaluate", "hub", "llm"):
    if str(TESTS / folder) not in sys.path:
        sys.path.append(str(TESTS / folder))

Says = Callable[[Question, int], str | ModelOutput]
"""What is said to a question the nth time that it is asked (from 0)."""


def output(text: str, stop: StopReason = "stop", **fields: Any) -> ModelOutput:
    made = ModelOutput.from_content("mockllm", text, stop_reason=stop)
    # Without it the mock counts tokens with tiktoken, which downloads its tables.
    usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    return made.model_copy(update={"usage": usage, **fields})


@cache
def by_picture(build: Path) -> dict[str, Question]:
    found = open_questions(build)
    return {data_url(found.read_image(each.id), Parameters()): each for each in found.questions}


class Mock:
    """`mockllm/model` that knows a question by its picture. asked: how often each was."""

    def __init__(self, build: Path, says: Says) -> None:
        self.by_picture = by_picture(build)
        self.says, self.asked = says, Counter[str]()
        self.configs: list[Any] = []

    def __call__(self, messages: list[Any], tools: Any, choice: Any, config: Any) -> ModelOutput:
        text, picture = messages[-1].content
        question = self.by_picture[picture.image]
        assert text.text == question.text and len(messages) == 1
        number = self.asked[question.id]
        self.asked[question.id] += 1
        self.configs.append(config)
        said = self.says(question, number)
        return output(said) if isinstance(said, str) else said

    def model(self) -> Model:
        return get_model("mockllm/model", custom_outputs=self, memoize=False)


def grader(says: Callable[[str], str | ModelOutput], asked: list[Any] | None = None) -> Model:
    """A model in the role of the grader."""

    def reply(messages: list[Any], tools: Any, choice: Any, config: Any) -> ModelOutput:
        if asked is not None:
            asked.append((messages, config))
        said = says(messages[-1].text)
        return output(said) if isinstance(said, str) else said

    return get_model("mockllm/judge", custom_outputs=reply, memoize=False)


def run(
    build: Path, mock: Mock, logs: Path, *, task: dict[str, Any] | None = None, **options: Any
) -> EvalLog:
    (log,) = run_eval(
        "mgld/mgld",
        task_args={"data": str(build), **(task or {})},
        model=mock.model(),
        log_dir=str(logs),
        display="none",
        **options,
    )
    return log


def numbers(log: EvalLog) -> dict[str, float]:
    assert log.status == "success" and log.results is not None, log.error
    (score,) = log.results.scores
    return {name: each.value for name, each in score.metrics.items()}


def cli(*arguments: object, ok: bool = True) -> Result:
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert (result.exit_code == 0) is ok, result.output
    return result


def graded(log: EvalLog, build: Path, out: Path, *more: object) -> dict[str, Any]:
    """The metrics of `mgld grade` on the answers of a log."""
    answer = ("answer", "--model", f"inspect:{log.location}", "--data", build, "--out", out)
    cli(*answer, *more)
    return json.loads(cli("grade", out, "--judge", "rule", "--json").stdout)


def expected(metrics: dict[str, Any]) -> dict[str, float]:
    """What the task prints, out of what `mgld grade` prints."""
    levels, draws = metrics["levels"], metrics["draws"]
    interval, single = levels["accuracy_interval"], draws["pass_at_1_interval"]
    return {
        "accuracy": levels["accuracy"],
        "accuracy_low": interval["low"],
        "accuracy_high": interval["high"],
        "questions": levels["total"],
        "scored": levels["scored"],
        "unscored": levels["unscored"],
        "unscored_share": levels["unscored_share"],
        "worst": levels["worst"],
        "best": levels["best"],
        **levels["shares"],
        "pass_at_1": draws["pass_at_1"],
        "pass_at_1_low": single["low"],
        "pass_at_1_high": single["high"],
        "pass_at_5": draws["pass_at_5"],
    }


def answers(log: EvalLog) -> dict[str, list[dict[str, Any]]]:
    return {str(each.id): each.store["answers"] for each in log.samples or []}


def levels(log: EvalLog) -> Sequence[Any]:
    return [each.scores["knowledge_level"].value for each in log.samples or [] if each.scores]
