"""The judges `paper` and `strict` with the model that inspect has in the role `grader`.

Prompts, schema, reading of replies and levels are those of `mgld grade`; only the sending is
inspect's. Without a model in that role inspect would have the model under test grade itself.
"""

from __future__ import annotations

import datetime
import logging
from typing import Final, Literal

from inspect_ai.model import (
    ChatMessage,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    ResponseSchema,
    get_model,
)
from inspect_ai.util import JSONSchema

from mgld.evaluate.judges.base import Case, JudgeOptions
from mgld.evaluate.judges.model import model_judge
from mgld.evaluate.judges.shown import show
from mgld.evaluate.records import Verdict
from mgld.llm.request import Request
from mgld.llm.wire import Reply

RULE: Final = "rule"
ROLE: Final = "grader"
_log = logging.getLogger(__name__)


def require_grader(judge: str) -> Model | None:
    """The model in the role `grader`; None for a judge that asks none.

    inspect's PrerequisiteError where the judge needs one and there is none.
    """
    if judge == RULE:
        return None
    grader: Model = get_model(role=ROLE, required=True)
    if str(grader) == str(get_model()):
        _log.warning("the grader %s is the model under test: it grades itself", grader)
    return grader


async def judge_by_grader(case: Case, grader: Model, protocol: str) -> Verdict:
    """The verdict of the grader on five answers; what is no valid reply leaves them unscored."""
    judge = model_judge(f"{grader}:{protocol}", JudgeOptions())
    shown = show(case)
    if any(shown.texts):
        output = await _ask(grader, judge.request(case, shown))
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        verdict = judge.found(case, shown, _reply(output), date=today)
    else:
        verdict = judge.nothing_said(case)
    return verdict.model_copy(update={"judge": f"inspect:{grader}:{protocol}"})


async def _ask(grader: Model, request: Request) -> ModelOutput:
    assert request.schema is not None
    messages: list[ChatMessage] = [
        ChatMessageSystem(content=request.instructions),
        ChatMessageUser(content=request.text),
    ]
    config = GenerateConfig(
        temperature=request.parameters.temperature,
        max_tokens=request.parameters.max_output_tokens,
        response_schema=ResponseSchema(
            name=request.schema.name,
            json_schema=JSONSchema.model_validate(request.schema.json_schema),
            strict=True,
        ),
    )
    return await grader.generate(messages, config=config)


def _reply(output: ModelOutput) -> Reply:
    stop = output.stop_reason if output.choices else "unknown"
    status: Literal["ok", "refused", "error"] = "ok"
    if stop == "content_filter":
        status = "refused"
    elif output.error or not output.completion.strip():
        status = "error"
    reason = "" if status == "ok" else output.error or f"no text, stopped by {stop}"
    cut = stop in ("max_tokens", "model_length")
    return Reply(status, output.completion, reason, truncated=cut, model=output.model)
