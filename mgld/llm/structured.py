"""Replies as JSON objects: the strict schema that is sent, and reading a reply into its model.

The schema keeps to what strict modes of OpenAI-compatible endpoints have in common: objects whose
fields are all required and that allow no others, arrays, strings, numbers, booleans, null, `enum`
and `anyOf`. Limits of length, number or form are asked for in the prompt and checked afterwards.

A reply that does not validate is **repaired at most once**, by one rule (docs/definitions.md,
"Replies of models"): the JSON object that starts at the first brace is taken out of whatever is
around it (prose, a code fence), fields that the schema does not know are dropped, and values of an
enumeration are compared without case, blanks and accents. Then it validates or it does not:
nothing is completed, so a reply cut off in the middle is none.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from mgld.llm.request import OutputSchema

T = TypeVar("T", bound=BaseModel)

_KEPT = {"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum",
         "const", "description"}  # fmt: skip
_DROPPED = {"title", "$defs"}
MAX_REASON = 300
_MAX_QUOTED = 60


@dataclass(frozen=True)
class Structured(Generic[T]):
    """A reply read into its model, or None with the reason why it does not fit."""

    value: T | None
    repaired: bool = False
    reason: str = ""


def output_schema(model: type[BaseModel], name: str) -> OutputSchema:
    """The strict JSON schema of `model`, references put in place.

    ValueError where a strict mode would not take it: fields with defaults, open objects, recursion,
    keywords beyond the common ones.
    """
    schema = model.model_json_schema()
    strict = _strict(schema, schema.get("$defs", {}), ())
    return OutputSchema(name=name, json_schema=strict)


def read_structured(model: type[T], text: str) -> Structured[T]:
    """Read the text of a reply, repaired once if need be (the rule is at the top of this file)."""
    try:
        return Structured(model.model_validate_json(text, strict=True))
    except ValidationError as error:
        first = _reason(error)
    found = _outermost_object(text)
    if found is None:
        return Structured(None, reason=first)
    schema = output_schema(model, "reply").json_schema
    # As JSON once more: so half a surrogate pair is as wrong here as in a reply that needs no
    # repair, and does not turn up as text that no file can hold.
    fitted = json.dumps(_fit(found, schema))
    try:
        return Structured(model.model_validate_json(fitted, strict=True), repaired=True)
    except ValidationError as error:
        return Structured(None, reason=_reason(error))


def _strict(schema: dict[str, Any], defs: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        if name in path:
            raise ValueError(f"{name} contains itself: no schema for a strict mode")
        return _strict(defs[name], defs, (*path, name))
    unknown = schema.keys() - _KEPT - _DROPPED
    if unknown:
        raise ValueError(f"not in the strict modes: {', '.join(sorted(unknown))}")
    strict: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            strict[key] = {name: _strict(each, defs, path) for name, each in value.items()}
        elif key == "items":
            strict[key] = _strict(value, defs, path)
        elif key == "anyOf":
            strict[key] = [_strict(each, defs, path) for each in value]
        elif key not in _DROPPED:
            strict[key] = value
    if strict.get("type") == "object" and (
        strict.get("additionalProperties") is not False
        or set(strict.get("required", ())) != strict.get("properties", {}).keys()
    ):
        raise ValueError("every object must forbid further fields and require all of its own")
    return strict


def _outermost_object(text: str) -> dict[str, Any] | None:
    """The JSON object that starts at the first brace, if it is whole."""
    start = text.find("{")
    if start < 0:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _fit(value: Any, schema: dict[str, Any]) -> Any:
    """`value` without fields that `schema` does not know, labels spelt as it spells them."""
    for option in schema.get("anyOf", ()):
        value = _fit(value, option)
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        return {key: _fit(each, known[key]) for key, each in value.items() if key in known}
    if isinstance(value, list) and "items" in schema:
        return [_fit(each, schema["items"]) for each in value]
    if isinstance(value, str) and "enum" in schema and value not in schema["enum"]:
        alike = [each for each in schema["enum"] if _same(each) == _same(value)]
        return alike[0] if len(alike) == 1 else value
    return value


def _same(text: str) -> str:
    """`text` without case, blanks and accents."""
    plain = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join("".join(plain).casefold().split())


def _reason(error: ValidationError) -> str:
    """What does not fit, in one short line: fields and problems, little of what a reply says."""
    problems = []
    for problem in error.errors(include_url=False):
        where = ".".join(str(part) for part in problem["loc"])
        what = problem["msg"]
        if problem["type"] in ("literal_error", "enum"):  # the message is the whole list
            what = f"{_short(problem['input'])} is not in the list"
        elif problem["type"] == "json_invalid":
            what = f"not JSON: {what.removeprefix('Invalid JSON: ')}"
        problems.append(f"{where}: {what}" if where else what)
    reason = "; ".join(problems)
    return reason if len(reason) <= MAX_REASON else reason[: MAX_REASON - 1] + "…"


def _short(value: object) -> str:
    said = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return said if len(said) <= _MAX_QUOTED else said[: _MAX_QUOTED - 1] + "…"
