"""The `openai` client behind the settings, one POST through it, and no key in any text."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from mgld.llm.settings import LlmSettings

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

OPENAI_URL = "https://api.openai.com/v1"
_KEY_LIKE = re.compile(r"\bsk-[\w*.-]{3,}|(?i:bearer)\s+\S+")


class HttpReply(NamedTuple):
    """What came back. `retry_after`: seconds that the endpoint asks to wait, or None."""

    http_status: int
    raw: bytes
    retry_after: float | None


class NoReplyError(Exception):
    """A request without a whole reply. `paid`: it may have reached the model."""

    def __init__(self, message: str, *, paid: bool) -> None:
        super().__init__(message)
        self.paid = paid


def base_url(settings: LlmSettings) -> str:
    """The endpoint's address without a slash at its end."""
    url = settings.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"base URL {url!r} is not an address like http://127.0.0.1:8000/v1")
    if parts.username or parts.password:
        raise ValueError("the base URL holds a user name or password; give the key by environment")
    return url.rstrip("/")


def sync_client(settings: LlmSettings, *, max_retries: int = 2) -> OpenAI:
    """A client for files, batches and models. ValueError where OpenAI's key is not set."""
    from openai import OpenAI

    return OpenAI(
        api_key=_api_key(settings),
        base_url=base_url(settings),
        max_retries=max_retries,
        timeout=settings.request_seconds,
    )


def async_client(settings: LlmSettings) -> AsyncOpenAI:
    """A client for requests: no retries of its own (each is written down), aiohttp below.

    ValueError where OpenAI's key is not set.
    """
    import httpx2
    from openai import AsyncOpenAI, DefaultAioHttpClient

    limits = httpx2.Limits(
        max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency
    )
    return AsyncOpenAI(
        api_key=_api_key(settings),
        base_url=base_url(settings),
        max_retries=0,
        timeout=settings.request_seconds,
        http_client=DefaultAioHttpClient(limits=limits, timeout=settings.request_seconds),
    )


async def post(client: AsyncOpenAI, path: str, content: bytes) -> HttpReply:
    """POST a JSON body and return the reply as it came, whatever its status; NoReplyError else."""
    import aiohttp
    import httpx2
    from openai import APIConnectionError, APIStatusError

    try:
        response = await client.post(
            path,
            cast_to=httpx2.Response,
            content=content,
            options={"headers": {"Content-Type": "application/json"}},
        )
    except APIStatusError as error:
        response = error.response
    except APIConnectionError as error:
        cause = _origin(error)
        # Without a connection nothing was sent; else it may have been answered.
        paid = not isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        raise NoReplyError(f"{type(cause).__name__}: {cause}".rstrip(": "), paid=paid) from error
    return HttpReply(response.status_code, response.content, _retry_after(response.headers))


def _origin(error: BaseException) -> BaseException:
    """What aiohttp raised: above it, a connection lost in mid-request is a `ConnectTimeout` too."""
    while error.__cause__ is not None:
        error = error.__cause__
        if type(error).__module__.startswith("aiohttp."):
            break
    return error


def redact(text: str, settings: LlmSettings) -> str:
    """`text` without the key, or what looks like one: some endpoints echo it in their errors."""
    key = os.environ.get(settings.api_key_env) or ""
    if len(key) >= 8:
        text = text.replace(key, "[key]")
        text = re.sub(re.escape(key[:6]) + r"[\w*.-]*", "[key]", text)
    return _KEY_LIKE.sub("[key]", text)


def _api_key(settings: LlmSettings) -> str:
    key = os.environ.get(settings.api_key_env)
    if key:
        return key
    if base_url(settings) == OPENAI_URL:
        raise ValueError(f"no API key: set the environment variable {settings.api_key_env}")
    return "none"  # servers of one's own mostly want none, but the client wants some text


def _retry_after(headers: object) -> float | None:
    """Seconds to wait as `retry-after-ms` or `Retry-After` (seconds or a date) say."""
    from email.utils import parsedate_to_datetime
    from time import time

    get = headers.get  # type: ignore[attr-defined]  # httpx2.Headers
    try:
        if get("retry-after-ms"):
            return max(0.0, float(get("retry-after-ms")) / 1000)
        value = get("retry-after")
        if not value:
            return None
        if value.replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None
