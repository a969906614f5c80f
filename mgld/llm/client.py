"""The endpoint behind the settings: the `openai` client, one POST as it makes it, and no key in any
text.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from mgld.llm.settings import LlmSettings

if TYPE_CHECKING:
    import aiohttp
    from openai import OpenAI

OPENAI_URL = "https://api.openai.com/v1"
MOST_BYTES = 32 * 2**20
"""No reply is larger; what is, unpacked, would fill the memory."""
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
    """The endpoint's address without a slash at its end.

    ValueError where it is none, or holds what may be a secret: it is written into configurations.
    """
    url = settings.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
    parts = urlsplit(url)
    if "@" in url:
        raise ValueError("the base URL holds a user name or password; give the key by environment")
    if parts.query or parts.fragment:
        raise ValueError(
            "the base URL must end with its path, without ? or #; give the key by environment"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"base URL {url!r} is not an address like http://127.0.0.1:8000/v1")
    return url.rstrip("/")


def sync_client(settings: LlmSettings, *, max_retries: int = 2) -> OpenAI:
    """A client for files, batches and models. ValueError where OpenAI's key is not set."""
    from openai import OpenAI

    return OpenAI(
        api_key=api_key(settings),
        base_url=base_url(settings),
        max_retries=max_retries,
        timeout=settings.request_seconds,
    )


@asynccontextmanager
async def open_session(settings: LlmSettings) -> AsyncIterator[aiohttp.ClientSession]:
    """A pool of connections that sends what the `openai` client would send.

    The headers are that client's own (a test compares whole requests). Its `post` is not used: it
    takes 0.6 ms of CPU a request where this takes 0.2, which is what bounds requests per second.
    It never retries: each try is written down first.
    """
    import aiohttp

    client = sync_client(settings)
    headers = {**client.default_headers, **client.auth_headers}
    async with aiohttp.ClientSession(
        headers={name: value for name, value in headers.items() if isinstance(value, str)},
        connector=aiohttp.TCPConnector(limit=settings.concurrency),
        timeout=aiohttp.ClientTimeout(
            total=settings.request_seconds, sock_connect=settings.request_seconds / 2
        ),
        proxy=_proxy(base_url(settings)),
    ) as session:
        yield session


async def post(session: aiohttp.ClientSession, url: str, content: bytes) -> HttpReply:
    """POST a JSON body and return the reply as it came, whatever its status; NoReplyError else."""
    import aiohttp

    try:
        async with session.post(url, data=content, allow_redirects=False) as response:
            raw = await _read(response)
            return HttpReply(response.status, raw, _retry_after(response.headers))
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        # Without a connection nothing was sent.
        raise NoReplyError(f"{type(error).__name__}: {error}", paid=False) from error
    except TimeoutError as error:
        raise NoReplyError("no whole reply in time", paid=True) from error
    except aiohttp.ClientError as error:
        message = f"{type(error).__name__}: {error}".rstrip(": ")
        raise NoReplyError(message, paid=True) from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            response.close()
            raise NoReplyError(f"a reply of more than {MOST_BYTES:,} bytes", paid=True)
    return b"".join(parts)


def without_key(raw: bytes, http_status: int, settings: LlmSettings) -> bytes:
    """A body as it is kept: an error's as `redact` has it, an answer's as it came but for the key.

    What merely looks like a key may be part of an answer.
    """
    if http_status >= 400:
        return redact(raw.decode(errors="replace"), settings).encode()
    key = os.environ.get(settings.api_key_env) or ""
    return raw.replace(key.encode(), b"[key]") if len(key) >= 8 else raw


def redact(text: str, settings: LlmSettings) -> str:
    """`text` without the key, or what looks like one: some endpoints echo it in their errors.

    Nor with halves of surrogate pairs, which JSON can say and no file can hold.
    """
    key = os.environ.get(settings.api_key_env) or ""
    if len(key) >= 8:
        text = text.replace(key, "[key]")
        text = re.sub(re.escape(key[:6]) + r"[\w*.-]*", "[key]", text)
    return _KEY_LIKE.sub("[key]", text).encode(errors="replace").decode()


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for `url`.

    Looked up once: aiohttp's `trust_env` asks two threads about it with every request.
    """
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


def api_key(settings: LlmSettings) -> str:
    """The key that is sent. ValueError where the endpoint wants one and none is set."""
    key = os.environ.get(settings.api_key_env)
    if key:
        return key
    if base_url(settings) == OPENAI_URL:
        raise ValueError(f"no API key: set the environment variable {settings.api_key_env}")
    return "none"  # servers of one's own mostly want none, but the client wants some text


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as `retry-after-ms` or `Retry-After` (seconds or a date) say."""
    from email.utils import parsedate_to_datetime
    from time import time

    milliseconds, value = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds:
            return max(0.0, float(milliseconds) / 1000)
        if not value:
            return None
        if value.replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None
