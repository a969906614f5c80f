"""A small HTTP/1.1 server for the loopback endpoint: cheap, and able to misbehave on purpose.

A raw asyncio protocol rather than a framework, for two reasons: it costs about a third of the CPU
of `aiohttp.web` per request (0.03 against 0.10 ms, measured), so that a benchmark on two cores
measures the client and not the server, and it can break a reply at any byte.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

JSON = "application/json"


class HttpRequest:
    """One request as received. `path` has no query string; `head` holds the raw header lines."""

    __slots__ = ("body", "head", "method", "path", "query")

    def __init__(self, head: bytes, body: bytes) -> None:
        line = head[: head.find(b"\r\n")].decode("latin-1")
        self.method, target, _ = line.split(" ", 2)
        self.path, _, self.query = target.partition("?")
        self.head = head
        self.body = body

    def header(self, name: str) -> str | None:
        """The value of a header, by its name in any case."""
        return _header(self.head, self.head.lower(), f"\r\n{name.lower()}:".encode())


Handler = Callable[[HttpRequest, "Connection"], None]


class Connection(asyncio.Protocol):
    """One client's connection. The handler answers later, through `reply` and its like."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._head: bytes | None = None
        self._length: int | None = 0  # of the body; None: chunked
        self._busy = False
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._busy:
            self._advance()

    def _advance(self) -> None:
        """Hand over the next request if all of it is there."""
        buffer = self._buffer
        if self._head is None:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head = head = bytes(buffer[: end + 2])
            del buffer[: end + 4]
            lower = head.lower()
            if b"\r\ntransfer-encoding: chunked" in lower:
                self._length = None
            else:
                length = _header(head, lower, b"\r\ncontent-length:")
                self._length = int(length) if length else 0
            if b"\r\nexpect: 100-continue" in lower:
                self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._length is None:
            body = _take_chunked(buffer)
            if body is None:
                return
        elif len(buffer) < self._length:
            return
        elif len(buffer) == self._length:
            body = bytes(buffer)
            buffer.clear()
        else:
            body = bytes(buffer[: self._length])
            del buffer[: self._length]
        request = HttpRequest(self._head, body)
        self._head = None
        self._busy = True
        self._handler(request, self)

    def reply(
        self,
        status: int,
        body: bytes,
        *,
        headers: dict[str, str] | None = None,
        content_type: str = JSON,
    ) -> None:
        """Send a whole reply and be ready for the next request."""
        self._write(head_of(status, len(body), headers, content_type) + body)
        self._next()

    def reply_json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        """`reply` with `value` as JSON."""
        self.reply(status, json.dumps(value, ensure_ascii=False).encode(), headers=headers)

    def reply_cut(self, status: int, body: bytes) -> None:
        """Announce the whole body, send half of it, drop the connection."""
        self._write(head_of(status, len(body), None, JSON) + body[: len(body) // 2])
        self.loop.call_later(0.02, self.drop)

    def reply_slowly(self, status: int, body: bytes, seconds: float) -> None:
        """Send the body in 20 pieces spread over `seconds`."""
        self._write(head_of(status, len(body), None, JSON))
        piece = max(1, len(body) // 20)
        starts = range(0, len(body), piece)
        for n, start in enumerate(starts):
            self.loop.call_later(
                seconds * (n + 1) / len(starts), self._write, body[start : start + piece]
            )
        self.loop.call_later(seconds + 0.001, self._next)

    def drop(self) -> None:
        """Close the connection at once, without a further word."""
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _next(self) -> None:
        self._busy = False
        if self._buffer:
            self._advance()


def head_of(status: int, length: int, headers: dict[str, str] | None, content_type: str) -> bytes:
    """Status line and headers, up to and with the empty line."""
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items()) if headers else ""
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {content_type}\r\n"
        f"content-length: {length}\r\n{more}\r\n"
    ).encode()


def read_multipart(request: HttpRequest) -> dict[str, tuple[str | None, bytes]]:
    """The parts of a multipart/form-data body by name: (file name or None, bytes)."""
    boundary = (request.header("content-type") or "").partition("boundary=")[2].strip('"')
    if not boundary:
        raise ValueError("the body is not multipart/form-data")
    mark = b"--" + boundary.encode()
    body = request.body
    parts: dict[str, tuple[str | None, bytes]] = {}
    start = body.find(mark)
    while start >= 0 and body[start + len(mark) : start + len(mark) + 2] != b"--":
        end = body.find(b"\r\n" + mark, start)
        head_end = body.find(b"\r\n\r\n", start)
        if end < 0 or head_end < 0:
            raise ValueError("the multipart body is cut off")
        head = body[start:head_end].decode()
        name = _quoted(head, ' name="')
        if name is not None:
            parts[name] = (_quoted(head, 'filename="'), body[head_end + 4 : end])
        start = end + 2
    return parts


def _quoted(head: str, before: str) -> str | None:
    start = head.find(before)
    if start < 0:
        return None
    start += len(before)
    return head[start : head.find('"', start)]


def _header(head: bytes, lower: bytes, key: bytes) -> str | None:
    start = lower.find(key)
    if start < 0:
        return None
    start += len(key)
    return head[start : lower.find(b"\r\n", start)].strip().decode("latin-1")


def _take_chunked(buffer: bytearray) -> bytes | None:
    """Take a chunked body out of `buffer`; None (and nothing taken) while it is not complete."""
    if not buffer.endswith(b"\r\n"):
        return None
    position = 0
    pieces = []
    while True:
        end = buffer.find(b"\r\n", position)
        if end < 0:
            return None
        size = int(bytes(buffer[position:end]).split(b";")[0], 16)
        start = end + 2
        if len(buffer) < start + size + 2:
            return None
        if size == 0:
            del buffer[: start + 2]
            return b"".join(pieces)
        pieces.append(bytes(buffer[start : start + size]))
        position = start + size + 2
