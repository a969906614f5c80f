"""Instances of a JSON schema that read as if a model had looked at a landmark."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")

PHRASES = [
    "pointed stone arches",
    "red brick facade",
    "copper green dome",
    "iron lattice",
    "stained glass windows",
    "gravel forecourt",
    "wooded hillside",
    "calm water surface",
    "white marble columns",
    "clock face",
    "steep slate roof",
    "carved wooden doors",
    "cobbled square",
    "bell tower",
    "crenellated walls",
    "triangular pediment",
    "suspension cables",
    "snow-covered ridge",
    "clipped hedges",
    "bronze statue",
    "Gothic style",
    "glass curtain wall",
    "timber framing",
    "stepped gable",
    "sandy shoreline",
    "round turrets",
    "painted ceiling",
    "stone balustrade",
    "narrow canal",
    "rusted steel hull",
]
PLACES = ("Paris, France", "Kyoto, Japan", "Ohio, United States", "Bavaria, Germany", "Peru")
SENTENCES = (
    "It stands out by its {a} and its {b}.",
    "The picture shows {a}, with {b} behind.",
    "Visitors know it for {a} and {b}.",
    "From this side one sees {a} above {b}.",
)
_NAMED = re.compile(
    r"^[^\w\n]*(?:the\s+|reference\s+)?(?:landmark|name|reference)\b[^:\n]{0,30}:\s*(.{2,300}?)\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTED = re.compile(r'[“"]([^”"\n{}]{2,80})[”"]')
_CAPITALS = re.compile(r"\b[A-ZÀ-Þ][\w'’.-]*(?:\s+(?:of\s+|de\s+|the\s+)?[A-ZÀ-Þ][\w'’.-]*)+")


class Draw:
    """A stream of choices from a 64-bit seed (splitmix64): the same on every machine."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed

    def below(self, limit: int) -> int:
        """An integer from 0 to `limit` - 1."""
        self._state = state = (self._state + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        return (state ^ (state >> 31)) % limit

    def one_in(self, number: int) -> bool:
        """True once in `number` times."""
        return self.below(number) == 0

    def of(self, choices: Sequence[T]) -> T:
        """One of `choices`."""
        return choices[self.below(len(choices))]


def name_in(prompt: str) -> str:
    """The landmark's name as a prompt gives it: "Landmark: X", in quotes, or the capitals."""
    for pattern in (_NAMED, _QUOTED):
        found = pattern.search(prompt)
        if found:
            name = found.group(1)
            with contextlib.suppress(ValueError):
                return str(json.loads(name))
            return name.strip("\"'“”*`. ")
    found = _CAPITALS.search(prompt)
    return found.group(0) if found else "this landmark"


def prose(name: str, draw: Draw) -> str:
    """Two sentences that quote the name."""
    said = draw.of(SENTENCES).format(a=draw.of(PHRASES), b=draw.of(PHRASES))
    return f"This is {name}. {said}"


def instance(schema: dict[str, Any], name: str, draw: Draw) -> Any:
    """An instance of `schema` about the landmark `name`."""
    return _instance(schema, schema, "", name, draw)


def _instance(schema: dict[str, Any], root: dict[str, Any], key: str, name: str, draw: Draw) -> Any:
    if "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].lstrip("#/").split("/"):
            target = target[step]
        return _instance(target, root, key, name, draw)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return draw.of(schema["enum"])
    choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    kind = schema.get("type")
    if isinstance(kind, list):
        choices = [{**schema, "type": each} for each in kind]
    if choices:
        real = [each for each in choices if each.get("type") != "null"]
        if not real or (len(real) < len(choices) and draw.one_in(5)):
            return None
        return _instance(draw.of(real), root, key, name, draw)
    if kind == "object" or "properties" in schema:
        return {
            each: _instance(inner, root, each, name, draw)
            for each, inner in schema.get("properties", {}).items()
        }
    if kind == "array":
        return _array(schema, root, key, name, draw)
    if kind == "integer":
        low = int(schema.get("minimum", 0))
        return low + draw.below(int(schema.get("maximum", low + 100)) - low + 1)
    if kind == "number":
        low = schema.get("minimum", 0)
        return low + (schema.get("maximum", low + 1) - low) * draw.below(1001) / 1000
    if kind == "boolean":
        return draw.one_in(2)
    return None if kind == "null" else _string(key, name, draw)


def _array(schema: dict[str, Any], root: dict[str, Any], key: str, name: str, draw: Draw) -> Any:
    items = schema.get("items", {"type": "string"})
    if "entit" in key and items.get("type") == "string":
        values: list[Any] = _entities(name, draw)
    else:
        count = draw.below(3) + (1 if schema.get("minItems") else 0)
        values = [_instance(items, root, key, name, draw) for _ in range(count)]
    while len(values) < schema.get("minItems", 0):
        values.append(_instance(items, root, key, name, draw))
    return values[: schema.get("maxItems")]


def _entities(name: str, draw: Draw) -> list[Any]:
    """4 to 7 phrases, now and then with the failures that models are known for."""
    first = draw.below(len(PHRASES))
    stride = draw.of((1, 7, 11, 13))
    count = 4 + draw.below(4)
    values: list[Any] = [PHRASES[(first + stride * n) % len(PHRASES)] for n in range(count)]
    if draw.one_in(6):
        values[draw.below(count)] = draw.of((name, f"{name} facade"))
    if draw.one_in(8):
        values[draw.below(count)] = draw.of(("building", "historic landmark", "photo"))
    if draw.one_in(8):
        values[-1] = values[0].title()
    return values


def _string(key: str, name: str, draw: Draw) -> str:
    key = key.lower()
    if "alias" in key:
        return draw.of((f"The {name}", f"{name} site", name.split(",")[0].split("(")[0].strip()))
    if "name" in key:
        return name
    if any(word in key for word in ("place", "location", "city", "country", "where", "region")):
        return draw.of(PLACES)
    if "question" in key:
        return "Which landmark does this picture show?"
    if any(word in key for word in ("answer", "descri", "text", "reason", "caption", "expla")):
        return prose(name, draw)
    return draw.of(PHRASES)
