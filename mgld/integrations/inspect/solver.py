"""The picture of a question, and five answers to it."""

from __future__ import annotations

from typing import Any, Final

from anyio.to_thread import run_sync
from inspect_ai.event import ModelEvent
from inspect_ai.log import transcript
from inspect_ai.model import (
    ChatMessage,
    ChatMessageUser,
    ContentImage,
    ContentText,
    GenerateConfig,
    Model,
    ModelOutput,
    get_model,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import collect

from mgld.evaluate.models.base import Asked
from mgld.evaluate.questions import ImageReader
from mgld.evaluate.records import DRAWS, Answer, Decoding
from mgld.integrations.inspect.grader import require_grader
from mgld.integrations.inspect.samples import ANSWERS, CONFIG, asked_of, question_of
from mgld.llm.images import data_url
from mgld.llm.request import Parameters

_CUT: Final = ("max_tokens", "model_length")


@solver
def show_image(
    data: str, split: str = "test", revision: str | None = None, judge: str = "rule"
) -> Solver:
    """Put the photograph beside the question, scaled as `mgld answer` sends it to an endpoint.

    It is read when its question is asked, so that a split of any size needs no memory. A grader
    that the judge needs and that is not there stops the sample here, before anything is paid for.
    """
    reader = ImageReader(data, CONFIG, split, revision)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.epoch > 1:
            raise ValueError(
                f"one epoch makes all {DRAWS} draws; more would count each question again: leave "
                "--epochs away"
            )
        require_grader(judge)
        question = question_of(state.metadata)
        picture = await run_sync(lambda: data_url(reader(question.id), Parameters()))
        content = [ContentText(text=state.input_text), ContentImage(image=picture)]
        state.messages = [ChatMessageUser(content=content)]
        return state

    return solve


@solver
def five_answers(seed: int | None = None) -> Solver:
    """Five draws of one question, each generated for itself, none of them from another's cache.

    They are in the sample's store as `mgld answer` writes them. seed: each draw sends one of its
    own, of (seed, question, draw); None sends none.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model, question = get_model(), question_of(state.metadata)
        asked = asked_of(question, Decoding(), seed or 0)
        before = len(transcript().events)
        outputs: list[ModelOutput] = await collect(
            *(_draw(model, state.messages, asked, draw, seed) for draw in range(DRAWS))
        )
        used = _config(list(transcript().events[before:]), seed)
        asked = asked_of(question, _decoding(used), seed or 0)
        answers = [
            _answer(asked, draw, output, str(model), seed) for draw, output in enumerate(outputs)
        ]
        state.store.set(ANSWERS, [answer.model_dump(mode="json") for answer in answers])
        said = [choice for output in outputs for choice in output.choices]
        state.messages.extend(choice.message for choice in said)
        state.output = outputs[0].model_copy(update={"choices": said})
        return state

    return solve


async def _draw(
    model: Model, messages: list[ChatMessage], asked: Asked, draw: int, seed: int | None
) -> ModelOutput:
    # The draw is part of the message's metadata, which no provider is sent and which every key of
    # inspect's cache holds, however the cache was turned on: else five draws would be one.
    named = [each.model_copy(update={"metadata": {"draw": draw}}) for each in messages]
    config = GenerateConfig(seed=None if seed is None else asked.draw_seed(draw))
    return await model.generate(named, config=config)


def _config(events: list[Any], seed: int | None) -> GenerateConfig:
    """What the draws were made with, the command line's options over the task's included.

    ValueError: all draws of a question had one seed.
    """
    configs = [event.config for event in events if isinstance(event, ModelEvent)]
    if seed is None and any(config.seed is not None for config in configs):
        raise ValueError(
            "--seed gives all five draws of a question the same seed, and so perhaps the same "
            "answer: say -T seed=N, which gives each its own"
        )
    return configs[-1]


def _decoding(config: GenerateConfig) -> Decoding:
    most = config.max_tokens or Decoding().max_new_tokens
    return Decoding(temperature=config.temperature, top_p=config.top_p, max_new_tokens=most)


def _answer(asked: Asked, draw: int, output: ModelOutput, model: str, seed: int | None) -> Answer:
    """One draw as `mgld answer` has it: silence is an answer, a filter's stop is a refusal."""
    stop = output.stop_reason if output.choices else "unknown"
    text = output.message.text if output.choices else ""
    status, reason = "ok", ""
    if stop == "content_filter":
        status, reason = "refused", output.error or "stopped by a content filter"
    elif output.error or not output.choices:
        status, reason = "error", output.error or "the model gave no output"
    details: dict[str, Any] = {"model": output.model}
    if output.usage:
        details["input_tokens"] = output.usage.input_tokens
        details["output_tokens"] = output.usage.output_tokens
    if stop in _CUT:
        details["truncated"] = True
    return asked.answer(
        draw,
        text,
        model=f"inspect:{model}",
        status=status,
        reason=reason,
        seed=None if seed is None else asked.draw_seed(draw),
        details=details,
    )
