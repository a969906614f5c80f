"""Errors as the real API words them."""

from __future__ import annotations

from typing import Any

from openai_faults import Rule


def error_body(
    message: str, kind: str, *, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """The JSON of an error."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def not_found(what: str) -> dict[str, Any]:
    """404 for an object that does not exist."""
    return error_body(what, "invalid_request_error", code="not_found")


def wrong_key(key: str) -> dict[str, Any]:
    """401, with the ends of the key in the message as the real API has them."""
    message = (
        f"Incorrect API key provided: {key[:8]}{'*' * 12}{key[-4:]}. You can find your API key at"
        " https://platform.openai.com/account/api-keys."
    )
    return error_body(message, "invalid_request_error", code="invalid_api_key")


def failure(rule: Rule, key: str) -> tuple[int, Any, dict[str, str]] | None:
    """Status, body and headers of a fault that is an HTTP error."""
    if rule.fault == "rate_limit":
        headers = {}
        if "retry_after" in rule.more:
            headers["retry-after"] = str(rule.more["retry_after"])
        if "retry_after_ms" in rule.more:
            headers["retry-after-ms"] = str(rule.more["retry_after_ms"])
        message = "Rate limit reached for requests per min (RPM). Please try again later."
        body = error_body(message, "requests", code="rate_limit_exceeded")
        return 429, body, headers
    if rule.fault == "quota":
        message = "You exceeded your current quota, please check your plan and billing details."
        error = error_body(message, "insufficient_quota", code="insufficient_quota")
        return 429, error, {}
    if rule.fault == "bad_key":
        return 401, wrong_key(key), {}
    if rule.fault == "azure_filter":
        message = (
            "The response was filtered due to the prompt triggering Azure OpenAI's content"
            " management policy."
        )
        error = error_body(message, "invalid_request_error", code="content_filter")
        error["error"]["innererror"] = {"code": "ResponsibleAIPolicyViolation"}
        return 400, error, {}
    if rule.fault == "status":
        status = rule.more["status"]
        if status == 502:
            return 502, "<html><body><h1>502 Bad Gateway</h1></body></html>", {}
        if status < 500:
            return status, error_body("Invalid request.", "invalid_request_error"), {}
        message = "The server had an error while processing your request. Sorry about that!"
        return status, error_body(message, "server_error"), {}
    return None
