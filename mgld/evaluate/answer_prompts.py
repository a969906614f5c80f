"""What a model under test is asked: prompt files, and a question put into one.

Unlike an annotator's, these prompts hold their values as they are, not as JSON: the question is
what is put to the model, and the model under test is trusted with nothing.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, Literal, NamedTuple

from mgld.evaluate.records import Question
from mgld.llm.prompts import Prompt, Rendered, load_prompt_file

PromptName = Literal["question", "entities-ask", "entities-given", "probe-text", "probe-image"]
"""question: the benchmark's own. entities-ask, entities-given: with an entity prompt (paper, Table
2). probe-text, probe-image: the two sides of Figure 1."""


class _File(NamedTuple):
    name: str
    placeholders: tuple[str, ...]
    with_image: bool


_FILES: Final[dict[PromptName, _File]] = {
    "question": _File("question.md", ("question",), True),
    "entities-ask": _File("entities_ask.md", ("question",), True),
    "entities-given": _File("entities_given.md", ("question", "entities"), True),
    "probe-text": _File("probe_text.md", ("name",), False),
    "probe-image": _File("probe_image.md", (), True),
}
_PLACEHOLDER = re.compile(r"\{(question|entities|name)\}")


@cache
def answer_prompt(name: PromptName) -> Prompt:
    """The prompt file called `name`; its `version` is quoted in every answer."""
    file = _FILES[name]
    return load_prompt_file("mgld.evaluate", file.name, placeholders=file.placeholders)


def shows_image(name: PromptName) -> bool:
    """Whether the question's image goes with this prompt."""
    return _FILES[name].with_image


def render(name: PromptName, question: Question) -> Rendered:
    """Prompt `name` about `question`. Values are one line each and are not looked at again.

    ValueError for "entities-given" where the question has no entities.
    """
    prompt = answer_prompt(name)
    values = {
        "question": question.text,
        "entities": ", ".join(question.entities),
        "name": question.truth.name,
    }
    if "entities" in prompt.placeholders and not question.entities:
        raise ValueError(f"question {question.id} has no entities to give")
    one_line = {key: " ".join(value.split()) for key, value in values.items()}
    instructions, text = (
        _PLACEHOLDER.sub(lambda found: one_line[found[1]], part)
        for part in (prompt.instructions, prompt.text)
    )
    return Rendered(instructions, text)
