"""Bodies as the real API sends them, for an `Answer`."""

from __future__ import annotations

import json
import re
from typing import Any

from openai_plays import Answer, Asked

CREATED = 1_763_000_000  # Unix seconds; fixed, so that equal requests have equal replies
_PLACE = '"schema": "@"'  # quotes in a reply's text are escaped, so this stands once
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}$")


def served_model(model: str) -> str:
    """The dated id that answers for `model`, as OpenAI's own replies name it."""
    if model.startswith("gpt-") and not _DATED.search(model):
        return f"{model}-2025-08-07"
    return model


def reply_body(asked: Asked, answer: Answer) -> dict[str, Any]:
    """The JSON of a 200."""
    body = _response(asked, answer) if asked.api == "responses" else _completion(asked, answer)
    if asked.api == "responses" and asked.schema:
        body["text"]["format"]["schema"] = asked.schema.value
    return body


def reply_bytes(asked: Asked, answer: Answer) -> bytes:
    """`reply_body` as JSON, without writing out the same schema again and again."""
    if asked.api == "chat":
        return json.dumps(_completion(asked, answer), ensure_ascii=False).encode()
    text = json.dumps(_response(asked, answer), ensure_ascii=False)
    if asked.schema:
        text = text.replace(_PLACE, f'"schema": {asked.schema.text}', 1)
    return text.encode()


def _response(asked: Asked, answer: Answer) -> dict[str, Any]:
    identity = asked.content[:32]
    output: list[dict[str, Any]] = []
    reasoning = 0
    if asked.model.startswith(("gpt-5", "gpt-6", "o1", "o3", "o4")):
        reasoning = 64
        output.append({"id": f"rs_{identity}", "type": "reasoning", "summary": []})
    if answer.refused:
        content: dict[str, Any] = {"type": "refusal", "refusal": answer.text}
    else:
        content = {"type": "output_text", "annotations": [], "logprobs": [], "text": answer.text}
    status = "incomplete" if answer.incomplete else "completed"
    if answer.text or not answer.incomplete:
        output.append(
            {
                "id": f"msg_{identity}",
                "type": "message",
                "status": status,
                "content": [content],
                "role": "assistant",
            }
        )
    form: dict[str, Any] = {"type": "text"}
    if asked.mode == "schema":
        form = {"type": "json_schema", "name": "reply", "schema": "@", "strict": True}
    elif asked.mode == "json":
        form = {"type": "json_object"}
    output_tokens = answer.output_tokens + reasoning
    return {
        "id": f"resp_{identity}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": answer.incomplete} if answer.incomplete else None,
        "instructions": None,
        "max_output_tokens": asked.max_output_tokens,
        "max_tool_calls": None,
        "model": served_model(asked.model),
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": form, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": asked.input_tokens,
            "input_tokens_details": {
                "cached_tokens": answer.cached_tokens,
                "cache_write_tokens": 0,
            },
            "output_tokens": output_tokens,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": asked.input_tokens + output_tokens,
        },
        "user": None,
        "metadata": {},
    }


def _completion(asked: Asked, answer: Answer) -> dict[str, Any]:
    reason = {"max_output_tokens": "length", "content_filter": "content_filter", None: "stop"}
    return {
        "id": f"chatcmpl-{asked.content[:32]}",
        "object": "chat.completion",
        "created": CREATED,
        "model": served_model(asked.model),
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": None if answer.refused else answer.text,
                    "refusal": answer.text if answer.refused else None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": reason[answer.incomplete],
            }
        ],
        "usage": {
            "prompt_tokens": asked.input_tokens,
            "completion_tokens": answer.output_tokens,
            "total_tokens": asked.input_tokens + answer.output_tokens,
            "prompt_tokens_details": {"cached_tokens": answer.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": None,
    }
