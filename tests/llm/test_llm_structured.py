"""Strict schemas, and the one rule by which a reply is repaired."""

from __future__ import annotations

import json
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from mgld.llm.structured import MAX_REASON, output_schema, read_structured


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Part(Strict):
    kind: Literal["castle / fort", "Château", "lake"] | None
    words: list[str]


class Whole(Strict):
    """Two parts."""

    first: Part
    count: int = Field(description="How many there are.")


GOOD = {"first": {"kind": "lake", "words": ["blue"]}, "count": 2}
TEXT = json.dumps(GOOD)


def objects(schema: object):
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_a_schema_is_strict() -> None:
    schema = output_schema(Whole, "whole")
    assert schema.name == "whole"
    every = list(objects(schema.json_schema))
    assert len(every) == 2
    for each in every:
        assert each["additionalProperties"] is False
        assert set(each["required"]) == set(each["properties"])
    text = json.dumps(schema.json_schema)
    assert "$ref" not in text and "$defs" not in text and '"title"' not in text
    assert schema.json_schema["properties"]["count"]["description"] == "How many there are."
    assert schema.json_schema["properties"]["first"]["properties"]["kind"] == {
        "anyOf": [
            {"type": "string", "enum": ["castle / fort", "Château", "lake"]},
            {"type": "null"},
        ]
    }


def test_what_a_strict_mode_would_refuse_is_refused_here() -> None:
    class Default(Strict):
        words: list[str] = []

    class Open(BaseModel):
        count: int

    class Limited(Strict):
        words: list[str] = Field(max_length=8)

    for model in (Default, Open, Limited, Node):
        with pytest.raises(ValueError, match=r"strict mode|strict modes|every object"):
            output_schema(model, "x")


class Node(Strict):
    nodes: list[Node]


def test_a_valid_reply_is_not_repaired() -> None:
    for text in (TEXT, f"\n {TEXT}\n"):
        found = read_structured(Whole, text)
        assert found.value == Whole.model_validate(GOOD)
        assert not found.repaired and found.reason == ""


@pytest.mark.parametrize(
    "text",
    [
        f"Here it is:\n```json\n{TEXT}\n```\nAnything else?",
        f"\ufeff{TEXT}",
        f"{TEXT}\n{TEXT}",
        TEXT.replace('"count"', '"note": {"a": []}, "count"'),
        TEXT.replace('"kind"', '"colour": "red", "kind"'),
        TEXT.replace("lake", " LAKE\\t"),
    ],
)
def test_repaired_by_the_rule(text: str) -> None:
    found = read_structured(Whole, text)
    assert found.value == Whole.model_validate(GOOD), found.reason
    assert found.repaired and found.reason == ""


@pytest.mark.parametrize(
    ("said", "meant"), [("castle/fort", "castle / fort"), ("CHATEAU", "Château"), ("lake", "lake")]
)
def test_labels_are_compared_without_case_blanks_and_accents(said: str, meant: str) -> None:
    found = read_structured(Whole, TEXT.replace("lake", said))
    assert found.value is not None and found.value.first.kind == meant
    assert found.repaired == (said != meant)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "EOF"),
        ("I cannot help with that.", "not JSON"),
        (TEXT[:-1], "EOF"),  # cut off: never completed
        (TEXT[:40], "EOF"),
        (f"```json\n{TEXT[:-20]}", "not JSON"),
        # An object inside of one that is cut off is not the reply.
        ('{"wrapped": ' + TEXT, "EOF"),
        (f"{{see}} {TEXT}", "key must be a string"),
        (f"[{TEXT[:-1]}", "EOF"),
        (TEXT.replace("lake", "tent"), "first.kind: 'tent' is not in the list"),
        (TEXT.replace("2", '"2"'), "count: Input should be a valid integer"),
        (TEXT.replace('["blue"]', '"blue"'), "first.words: Input should be a valid array"),
        (TEXT.replace(', "count": 2', ""), "count: Field required"),
        (TEXT.replace("blue", "\\ud83c"), "hex escape"),
        (TEXT.replace('"count"', '"x": 1, "count"').replace("blue", "\\ud83c"), "hex escape"),
        ('{"a":' * 100_000, "recursion"),
        ("{" * 100_000, "key must be a string"),
    ],
)
def test_all_else_is_no_reply_and_says_why(text: str, reason: str) -> None:
    found = read_structured(Whole, text)
    assert found.value is None and not found.repaired
    assert reason in found.reason


def test_a_reason_is_short_whatever_the_reply_says() -> None:
    found = read_structured(Whole, TEXT.replace("lake", "\\u001b[2J" + "x" * 10_000))
    assert len(found.reason) < 200 and "\x1b" not in found.reason
    wrong = dict(GOOD, first={"kind": None, "words": [1] * 500})
    assert len(read_structured(Whole, json.dumps(wrong)).reason) == MAX_REASON
