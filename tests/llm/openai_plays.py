"""What the loopback endpoint "answers": a pure function of what a request says.

The same content gives the same reply online, in a batch and after a kill, down to the ids. Content
is model, texts, images (by the hash of what was sent), schema and parameters; fields that only
steer delivery (`metadata`, `user`, `store`, ...) do not count.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from dataclasses import dataclass
from typing import Any, Literal

from openai_instances import Draw, instance, name_in, prose
from openai_schemas import Schema, schema_of, without_schema

Mode = Literal["schema", "json", "text"]
Play = Literal[
    "truncated_text", "refusal", "content_filter", "empty", "fenced", "wrong_schema", "half_json"
]
"""How a reply may go wrong although its request was served and is paid for."""

DELIVERY = frozenset(
    ["metadata", "user", "store", "stream", "service_tier", "safety_identifier", "prompt_cache_key"]
)
_IMAGE = b'"data:image/'
# Base64 of the first bytes of JPEG, PNG, WebP and GIF.
_MAGIC = (b"/9j/", b"iVBOR", b"UklGR", b"R0lGOD")


class BadRequestError(ValueError):
    """What the endpoint refuses with HTTP 400; `error` is the body's `error` object."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.error = {
            "message": message,
            "type": "invalid_request_error",
            "param": param,
            "code": code,
        }


@dataclass(slots=True)
class Asked:
    """A request, read. `content`: hex hash of its content; `mode`: what text it asks for."""

    api: Literal["responses", "chat"]
    model: str
    content: str
    text: str
    user_text: str
    mode: Mode
    schema: Schema | None
    max_output_tokens: int | None
    input_tokens: int
    images: int


@dataclass(slots=True)
class Answer:
    """The text of a reply, and how it ended."""

    text: str
    refused: bool
    incomplete: Literal["max_output_tokens", "content_filter"] | None
    output_tokens: int
    cached_tokens: int


def read_request(api: Literal["responses", "chat"], raw: bytes) -> Asked:
    """Read a body of either API; BadRequestError for what the endpoint would not accept."""
    lean = without_schema(without_images(raw))
    try:
        body = json.loads(lean)
    except ValueError:
        raise BadRequestError("We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise BadRequestError("The JSON body of your request is not an object.")
    return read_body(api, body, lean)


def read_body(
    api: Literal["responses", "chat"], body: dict[str, Any], lean: bytes | None = None
) -> Asked:
    """`read_request` for a body that went through `without_images` and the JSON parser.

    `lean`: what was parsed, if schemas may be replaced in the next one like it.
    """
    model = body.get("model")
    if not isinstance(model, str):
        raise BadRequestError("you must provide a model parameter", param="model")
    texts: list[str] = []
    users: list[str] = []
    images: list[str] = []
    if api == "responses":
        if body.get("instructions"):
            texts.append(body["instructions"])
        turns = body.get("input")
        if isinstance(turns, str):
            turns = [{"role": "user", "content": turns}]
        form = (body.get("text") or {}).get("format") or {"type": "text"}
        named, where, limit = form, "text.format", body.get("max_output_tokens")
    else:
        turns = body.get("messages")
        form = body.get("response_format") or {"type": "text"}
        named, where = form.get("json_schema") or {}, "response_format"
        limit = body.get("max_completion_tokens", body.get("max_tokens"))
    if not isinstance(turns, list) or not turns:
        missing = "input" if api == "responses" else "messages"
        raise BadRequestError(f"Missing required parameter: '{missing}'.", param=missing)
    for turn in turns:
        parts = turn.get("content", "")
        for part in [{"text": parts}] if isinstance(parts, str) else parts:
            if "text" in part:
                texts.append(part["text"])
                if turn.get("role", "user") == "user":
                    users.append(part["text"])
            elif "image_url" in part:
                image = part["image_url"]
                detail = (image if isinstance(image, dict) else part).get("detail", "auto")
                images.append(detail)
    text = "\n".join(texts)
    schema = None
    mode: Mode = "text"
    if form["type"] == "json_schema":
        mode, schema = "schema", schema_of(named.get("schema"), lean)
        name = named.get("name", "")
        if schema is None or not re.fullmatch(r"[\w-]{1,64}", name):
            raise BadRequestError(f"Missing required parameter: '{where}.schema'.", param=where)
        if named.get("strict") and schema.problem:
            raise BadRequestError(
                f"Invalid schema for response_format '{name}': {schema.problem}.",
                param=f"{where}.schema",
                code="invalid_json_schema",
            )
        named["schema"] = schema.mark
    elif form["type"] == "json_object":
        mode = "json"
        if "json" not in text.lower():
            raise BadRequestError(
                f"'{where}' of type 'json_object' needs the word 'json' in the messages.",
                param=where,
            )
    if limit is not None and limit < (16 if api == "responses" else 1):
        raise BadRequestError(
            f"Invalid 'max_output_tokens': {limit} is below the minimum value.",
            param="max_output_tokens",
            code="integer_below_min_value",
        )
    for field in DELIVERY & body.keys():
        del body[field]
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    tokens = (len(text) + (len(schema.text) if schema else 0)) // 4
    tokens += sum(85 if detail == "low" else 765 for detail in images) + 7
    return Asked(
        api,
        model,
        hashlib.sha256(f"{api}{canonical}".encode()).hexdigest(),
        text,
        "\n".join(users),
        mode,
        schema,
        limit,
        tokens,
        len(images),
    )


def content_hash(api: Literal["responses", "chat"], body: dict[str, Any]) -> str:
    """Under which hash the server counts a request with this body."""
    return read_request(api, json.dumps(body).encode()).content


def answer(asked: Asked, play: Play | None = None) -> Answer:
    """The reply to `asked`; `play` makes it go wrong in a way that is still paid for."""
    draw = Draw(int(asked.content[:16], 16))
    name = name_in(asked.user_text)
    cached = asked.input_tokens // 256 * 128 if asked.input_tokens > 1024 and draw.one_in(4) else 0
    if play == "refusal":
        return Answer("I'm sorry, but I can't help with that image.", True, None, 12, cached)
    if play == "content_filter":
        return Answer("", False, "content_filter", 1, cached)
    if play == "empty":
        return Answer("", False, None, 1, cached)
    schema = asked.schema.value if asked.schema else _schema_in(asked.text)
    if schema is None:
        text = json.dumps({"answer": prose(name, draw)}) if asked.mode == "json" else ""
        text = text or prose(name, draw)
    else:
        value = instance(schema, name, draw)
        if play == "wrong_schema" and isinstance(value, dict) and value:
            del value[next(iter(value))]
        text = json.dumps(value, ensure_ascii=False)
        if play == "half_json":
            text = text[: len(text) * 2 // 3]
        if play == "fenced" or asked.mode == "text":
            text = f"Here is what the picture shows.\n\n```json\n{text}\n```\n\nI hope this helps."
    tokens = len(text) // 4 + 1
    if play == "truncated_text":
        return Answer(text[: len(text) // 2], False, "max_output_tokens", tokens // 2 + 1, cached)
    if asked.max_output_tokens is not None and tokens > asked.max_output_tokens:
        cut = asked.max_output_tokens
        return Answer(text[: cut * 4], False, "max_output_tokens", cut, cached)
    return Answer(text, False, None, tokens, cached)


def without_images(raw: bytes) -> bytes:
    """`raw` with each data URL replaced by a digest of it, so that no JSON parser walks it.

    BadRequestError for a data URL that holds no image.
    """
    start = raw.find(_IMAGE)
    if start < 0:
        return raw
    pieces = []
    position = 0
    while start >= 0:
        start += 1
        end = raw.find(b'"', start)
        if raw[start - 2] != 0x5C:  # a backslash: the quote is part of a text
            comma = raw.find(b",", start, end)
            if end < 0 or comma < 0 or not raw.startswith(_MAGIC, comma + 1):
                raise BadRequestError(
                    "You uploaded an unsupported image. Please make sure your image is valid.",
                    param="input",
                    code="invalid_image_format",
                )
            pieces += [raw[position:start], _digest(raw[start:end])]
            position = end
        start = raw.find(_IMAGE, end)
    return b"".join([*pieces, raw[position:]])


def _digest(image: bytes) -> bytes:
    """A digest that costs a third of SHA-256's time: a CRC of all, SHA-256 of the last 4 KiB."""
    tail = hashlib.sha256(image[-4096:]).hexdigest()
    return f"image:{len(image)}:{zlib.crc32(image):08x}:{tail}".encode()


def _schema_in(text: str) -> dict[str, Any] | None:
    """The JSON schema that stands in a prompt: its outermost object with "properties"."""
    if '"properties"' not in text:
        return None
    decoder = json.JSONDecoder()
    position = text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
        except ValueError:
            end = position + 1
        else:
            for each in (value, value.get("schema"), value.get("json_schema")):
                if isinstance(each, dict) and "properties" in each:
                    return each
        position = text.find("{", end)
    return None
