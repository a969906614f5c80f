"""What a sample of the task holds, for those who put it there and those who read it."""

from __future__ import annotations

from typing import Any, Final

from inspect_ai.solver import TaskState

from mgld.evaluate.answer_prompts import PromptName, answer_prompt, render
from mgld.evaluate.models.base import Asked
from mgld.evaluate.records import DRAWS, Answer, Decoding, Question

TASK: Final = "mgld/mgld"
CONFIG: Final = "eval"
PROMPT: Final[PromptName] = "question"
QUESTION: Final = "question"
"""Key of a sample's metadata: its `Question`."""
ANSWERS: Final = "answers"
"""Key of a sample's store: its five `Answer`."""


def question_of(metadata: dict[str, Any] | None) -> Question:
    """The question of a sample's metadata. ValueError where it has none."""
    found = (metadata or {}).get(QUESTION)
    if found is None:
        raise ValueError(f"the sample has no {QUESTION}: this is for samples of {TASK}")
    return Question.model_validate(found)


def answers_of(state: TaskState) -> tuple[Answer, ...]:
    """The answers of a sample by draw. ValueError where there are not five."""
    found = [Answer.model_validate(each) for each in state.store.get(ANSWERS, [])]
    if [answer.draw for answer in found] != list(range(DRAWS)):
        raise ValueError(f"{len(found)} answers are there: the solver mgld/five_answers makes five")
    return tuple(found)


def asked_of(question: Question, decoding: Decoding, seed: int) -> Asked:
    """The question as it is put to a model, all draws wanted."""
    rendered = render(PROMPT, question)
    return Asked(
        question=question,
        instructions=rendered.instructions,
        text=rendered.text,
        prompt_version=answer_prompt(PROMPT).version,
        decoding=decoding,
        draws=tuple(range(DRAWS)),
        of=DRAWS,
        seed=seed,
    )
