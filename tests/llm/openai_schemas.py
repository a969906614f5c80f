"""JSON schemas met in requests. A run sends one or two schemas thousands of times: each is parsed,
checked and put into words once, which is a third of what a request would cost.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

_KEY = b'"schema":'
_MARK = "schema:"
_MOST = 32  # raw spellings that are looked for


class Schema:
    """A schema, its text as replies echo it, and a hash that stands for it in a content."""

    __slots__ = ("mark", "problem", "text", "value")

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value
        self.text = json.dumps(value, ensure_ascii=False)
        canonical = json.dumps(value, sort_keys=True).encode()
        self.mark = _MARK + hashlib.sha256(canonical).hexdigest()
        self.problem = _strict_problem(value)


_by_mark: dict[str, Schema] = {}
_by_raw: dict[bytes, str] = {}


def without_schema(raw: bytes) -> bytes:
    """`raw` with a schema that was met before replaced by its mark."""
    for spelling, mark in _by_raw.items():
        if spelling in raw:
            return raw.replace(spelling, b'"schema":"%b"' % mark.encode(), 1)
    return raw


def schema_of(value: object, raw: bytes | None = None) -> Schema | None:
    """The schema that a body's field holds, or its mark stands for; None for anything else.

    `raw`: the body it was parsed from, to know it again.
    """
    if isinstance(value, str):
        return _by_mark.get(value)
    if not isinstance(value, dict):
        return None
    schema = Schema(value)
    schema = _by_mark.setdefault(schema.mark, schema)
    start = raw.find(_KEY) if raw else -1
    if raw and start >= 0 and len(_by_raw) < _MOST:
        text = raw[start + len(_KEY) :].decode()
        blanks = len(text) - len(text.lstrip())
        found, end = json.JSONDecoder().raw_decode(text, blanks)
        if found == value:
            _by_raw[_KEY + text[:end].encode()] = schema.mark
    return schema


def _strict_problem(schema: dict[str, Any]) -> str | None:
    """Why a strict mode would not take it: objects closed, all properties required, no defaults."""
    nodes: list[Any] = [schema]
    while nodes:
        node = nodes.pop()
        if not isinstance(node, dict):
            continue
        if "default" in node or "oneOf" in node or "allOf" in node:
            return "'default', 'oneOf' and 'allOf' are not permitted"
        if "properties" in node:
            if node.get("additionalProperties") is not False:
                return "'additionalProperties' is required to be supplied and to be false"
            if set(node.get("required", ())) != node["properties"].keys():
                return "'required' must include every key in properties"
            nodes += node["properties"].values()
        nodes += [node.get("items"), *node.get("anyOf", ()), *node.get("$defs", {}).values()]
    return None
