"""How a request is put into each dialect, and what a reply in it says.

Everything that knows the shape of the Responses and Chat Completions APIs stands here. Replies are
read from their raw bytes, whenever they are needed, so that reading better costs nothing.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal, NamedTuple

from mgld.llm.request import Request
from mgld.llm.settings import Api

PATHS: Final[dict[Api, str]] = {
    "responses": "/responses",
    "chat": "/chat/completions",
    "chat-json": "/chat/completions",
    "chat-text": "/chat/completions",
}
"""Path of each dialect below the base URL."""

EMPTY_REPLY = "empty reply"
"""How the reason of a whole reply without any text begins."""

NO_REPLY = "not a reply of this API"
"""How the reason of a body says that it is none, whatever the HTTP status."""

_MOST_TOKENS = 10**9
_UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
_SCHEMA_IN_PROMPT = "Reply with one JSON object and nothing else. It must fit this JSON schema:\n"


class Reply(NamedTuple):
    """What a model said. `reason` says why a status is not "ok".

    truncated: the text stops where `max_output_tokens` was reached. `model` and the tokens are as
    the endpoint reports them: "" and 0 where it does not.
    """

    status: Literal["ok", "refused", "error"]
    text: str = ""
    reason: str = ""
    truncated: bool = False
    model: str = ""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


def body(request: Request, image_url: str | None, api: Api) -> dict[str, Any]:
    """The JSON body of `request`; `image_url` is its image as a data URL, None without one."""
    parameters = request.parameters
    fields: dict[str, Any] = {"model": request.model}
    if api == "responses":
        content: list[dict[str, Any]] = [{"type": "input_text", "text": request.text}]
        if image_url is not None:
            detail = parameters.image_detail
            content.append({"type": "input_image", "image_url": image_url, "detail": detail})
        if request.instructions:
            fields["instructions"] = request.instructions
        fields["input"] = [{"role": "user", "content": content}]
        fields["max_output_tokens"] = parameters.max_output_tokens
        # Nothing of a request is kept at the endpoint; what is kept is in the ledger.
        fields["store"] = False
        # The default at OpenAI, but `transformers serve` streams a response that is not told.
        fields["stream"] = False
        if request.schema:
            fields["text"] = {"format": {"type": "json_schema", **_named_schema(request)}}
    else:
        fields["messages"] = _messages(request, image_url, api)
        # The older name where a server may be old.
        name = "max_completion_tokens" if api == "chat" else "max_tokens"
        fields[name] = parameters.max_output_tokens
        if request.schema and api == "chat":
            schema = _named_schema(request)
            fields["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif request.schema and api == "chat-json":
            fields["response_format"] = {"type": "json_object"}
    if parameters.temperature is not None:
        fields["temperature"] = parameters.temperature
    return fields | parameters.extra_body


def _named_schema(request: Request) -> dict[str, Any]:
    assert request.schema is not None
    return {"name": request.schema.name, "schema": request.schema.json_schema, "strict": True}


def _messages(request: Request, image_url: str | None, api: Api) -> list[dict[str, Any]]:
    instructions = request.instructions
    if request.schema and api != "chat":
        schema = json.dumps(request.schema.json_schema, ensure_ascii=False)
        instructions = f"{instructions}\n\n{_SCHEMA_IN_PROMPT}{schema}".lstrip()
    content: Any = request.text
    if image_url is not None:
        image = {"url": image_url, "detail": request.parameters.image_detail}
        content = [
            {"type": "text", "text": request.text},
            {"type": "image_url", "image_url": image},
        ]
    user = {"role": "user", "content": content}
    return [{"role": "system", "content": instructions}, user] if instructions else [user]


def read_reply(api: str, http_status: int, raw: bytes) -> Reply:
    """What a raw reply says; never raises. `http_status` 0: none came, `raw` says why.

    Reason and model can be written to any file, whatever the endpoint put there.
    """
    if http_status == 0:
        return Reply("error", reason=raw.decode(errors="replace"))
    try:
        content = json.loads(raw)
        if http_status >= 400:
            said = _read_error(http_status, content)
        else:
            said = _read_responses(content) if api == "responses" else _read_chat(content)
    except _UNREADABLE:
        start = raw[:200].decode(errors="replace")
        return Reply("error", reason=f"HTTP {http_status}, {NO_REPLY}: {start!r}")
    return said._replace(reason=_writable(said.reason), model=_writable(said.model))


def is_whole(raw: bytes) -> bool:
    """Whether a body is JSON from its first to its last byte."""
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return True


def holds_error(raw: bytes) -> bool:
    """Whether a body that is no reply says what went wrong instead."""
    try:
        return bool(json.loads(raw)["error"])
    except _UNREADABLE:
        return False


def error_code(raw: bytes) -> str:
    """The `code` (else the `type`) of an error body; "" without one."""
    try:
        error = json.loads(raw)["error"]
        return str(error.get("code") or error.get("type") or "")
    except _UNREADABLE:
        return ""


def _read_error(http_status: int, content: Any) -> Reply:
    error = content.get("error", content) if isinstance(content, dict) else content
    code, message = "", error
    if isinstance(error, dict):
        code = str(error.get("code") or error.get("type") or "")
        message = error.get("message") or error.get("detail") or error
    reason = f"HTTP {http_status}: {message}"
    # Azure's filter, and OpenAI's for a picture or a prompt.
    if code in ("content_filter", "content_policy_violation"):
        return Reply("refused", reason=reason)
    return Reply("error", reason=reason)


def _with_usage(content: dict[str, Any], input_name: str, output_name: str) -> Reply:
    """An "ok" of which only model and tokens are read yet."""
    usage = _fields(content.get("usage"))
    return Reply(
        "ok",
        model=str(content.get("model") or ""),
        input_tokens=_count(usage.get(input_name)),
        cached_tokens=_count(_fields(usage.get(f"{input_name}_details")).get("cached_tokens")),
        output_tokens=_count(usage.get(output_name)),
    )


def _fields(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    """A number of tokens; 0 for what is none, since money is reckoned with it."""
    return int(value) if isinstance(value, int | float) and 0 <= value <= _MOST_TOKENS else 0


def _writable(text: str) -> str:
    """`text` without halves of surrogate pairs, which JSON can say and no file can hold."""
    return text.encode(errors="replace").decode()


def _read_responses(content: dict[str, Any]) -> Reply:
    found = _with_usage(content, "input_tokens", "output_tokens")
    parts = [
        part
        for item in content["output"]
        if item.get("type") == "message"
        for part in item["content"]
    ]
    refusals = [part["refusal"] for part in parts if part.get("type") == "refusal"]
    text = "".join(part["text"] for part in parts if part.get("type") == "output_text")
    why = (content.get("incomplete_details") or {}).get("reason") or ""
    if content.get("status") == "failed":
        message = (content.get("error") or {}).get("message") or "the endpoint says no more"
        return found._replace(status="error", reason=f"failed: {message}")
    return _judged(found, text, "; ".join(refusals), why)


def _read_chat(content: dict[str, Any]) -> Reply:
    found = _with_usage(content, "prompt_tokens", "completion_tokens")
    choice = content["choices"][0]
    message = choice["message"]
    why = {"length": "max_output_tokens"}.get(choice.get("finish_reason") or "", "")
    if choice.get("finish_reason") == "content_filter":
        why = "content_filter"
    return _judged(found, message.get("content") or "", message.get("refusal") or "", why)


def _judged(found: Reply, text: str, refusal: str, why: str) -> Reply:
    if refusal:
        return found._replace(status="refused", text=text, reason=f"refusal: {refusal}")
    if why == "content_filter":
        return found._replace(status="refused", text=text, reason="stopped by a content filter")
    truncated = why == "max_output_tokens"
    if not text.strip():
        reason = EMPTY_REPLY
        reason += ": max_output_tokens was reached before any text" if truncated else ""
        return found._replace(status="error", reason=reason)
    return found._replace(text=text, truncated=truncated)
