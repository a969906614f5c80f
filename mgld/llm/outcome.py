"""What an HTTP reply means for the run: an answer, a reason to try again, or to stop."""

from __future__ import annotations

from typing import Literal, NamedTuple

from mgld.llm.client import HttpReply
from mgld.llm.settings import Api
from mgld.llm.wire import NO_REPLY, error_code, holds_error, is_whole, read_reply

_PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
LONGEST_WAIT = 600.0
"""Seconds that an endpoint may ask to wait; a run that is to wait longer (a day's quota) stops."""
_NO_SUCH_ROUTE = {404, 405, 501}
_SCHEMA_FIELDS = ("response_format", "json_schema", "json_object", "text.format", "structured")


class Outcome(NamedTuple):
    """Kind of a reply, with the endpoint's words.

    answered: to be stored, also where it is an error that this request alone has (a refused
    image); `useless` where nothing of a model's is in it. again: it may go well later. paid:
    although it must be made again, the endpoint may charge it. unsupported: the endpoint does not
    speak this dialect. fatal: no request would be answered (key, quota, model).
    """

    kind: Literal["answered", "again", "unsupported", "fatal"]
    reason: str = ""
    paid: bool = False
    useless: bool = False


def outcome_of(reply: HttpReply, api: Api) -> Outcome:
    """Judge an HTTP reply by its status and error code."""
    status = reply.http_status
    if 300 <= status < 400:
        return Outcome("fatal", f"HTTP {status}: it redirects elsewhere; give that as the base URL")
    said = read_reply(api, status, reply.raw)
    reason = said.reason
    if status < 300:
        if not reason.startswith(f"HTTP {status}, {NO_REPLY}"):
            return Outcome("answered")
        if holds_error(reply.raw) or not is_whole(reply.raw):  # some routers give errors a 200
            return Outcome("again", reason, paid=True)
        return Outcome("answered", reason, useless=True)
    code = error_code(reply.raw)
    if status == 429 and code == "insufficient_quota":
        return Outcome("fatal", reason)
    if (reply.retry_after or 0) > LONGEST_WAIT:
        minutes = (reply.retry_after or 0) / 60
        return Outcome("fatal", f"{reason} (it asks to wait {minutes:,.0f} minutes)")
    if status in _PASSING:
        return Outcome("again", reason)
    if status in (401, 403) or "model_not_found" in code:
        return Outcome("fatal", reason)
    if status in _NO_SUCH_ROUTE:
        return Outcome("unsupported", reason)
    if status in (400, 422) and any(field in reason for field in _SCHEMA_FIELDS):
        return Outcome("unsupported", reason)
    return Outcome("answered", reason, useless=said.status == "error")
