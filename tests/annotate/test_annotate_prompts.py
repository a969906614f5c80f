"""The prompts keep the rules that they give: their examples are replies that would pass."""

from __future__ import annotations

import re

import pytest

from mgld.annotate.cleaning import clean_aliases, clean_entities, clean_hints
from mgld.annotate.entities import MAX_ENTITIES, MIN_ENTITIES
from mgld.annotate.names import split_name
from mgld.annotate.questions import prompt_bytes
from mgld.annotate.replies import EntitiesReply, QaReply, entities_reply
from mgld.llm.structured import read_structured

EXAMPLE = re.compile(r'Name "(?P<name>[^"]+)".*?:\n\n(?P<reply>\{.*\})\n', re.DOTALL)


def examples(file: str) -> list[tuple[str, str]]:
    text = prompt_bytes(file).decode()
    start = text.index("Examples.")
    found = [
        (each["name"], each["reply"])
        for part in re.split(r"(?=\bName \")", text[start : text.index("\n# Prompt")])
        if (each := EXAMPLE.match(part + "\n"))
    ]
    assert len(found) == 3, "an example is not of the form that this test reads"
    return found


@pytest.mark.parametrize(("name", "reply"), examples("qa.md"))
def test_examples_of_answers(name: str, reply: str) -> None:
    found = read_structured(QaReply, reply)
    assert found.value is not None and not found.repaired, found.reason
    answer = found.value.answer
    assert split_name(name).bare in answer and "(" not in answer
    assert 2 <= len(re.findall(r"[.!?](?:\s|$)", answer)) <= 5
    if found.value.location:
        assert all(place in answer for place in found.value.location.split(", "))
    assert not re.search(r"\b(given|provided|label|reference|name is)\b", answer)


@pytest.mark.parametrize(("name", "reply"), examples("entities.md"))
def test_examples_of_entities(name: str, reply: str) -> None:
    found = read_structured(entities_reply(), reply)
    assert found.value is not None and not found.repaired, found.reason
    said: EntitiesReply = found.value
    assert MIN_ENTITIES <= len(said.entities) <= MAX_ENTITIES
    assert clean_entities(said.entities, name=name, aliases=said.aliases) == said.entities
    assert all(2 <= len(each.split()) <= 4 for each in said.entities)
    assert clean_hints(said.place_hints, name=name) == said.place_hints
    hints = said.place_hints
    assert clean_aliases(said.aliases, name=name, hints=hints) == said.aliases
