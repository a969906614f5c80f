"""A connection that breaks: what may have been answered counts as paid, what was never sent not."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

from mgld.llm.client import NoReplyError, open_session, post
from mgld.llm.settings import LlmSettings

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


async def read_request(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(2)


async def reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the client gets a reset instead of an end."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.close()


async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.close()


async def drop_hard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await reset(writer)


async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer, and reset the connection on the second request, like a server that had an error."""
    await read_request(reader)
    writer.write(REPLY)
    await drop_hard(reader, writer)


async def drop_in_the_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(REPLY[:-1])
    await writer.drain()
    writer.close()


async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await reader.read()
    writer.close()


async def sent(handler: Handler, times: int = 1) -> None:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        await ask(port, times)
    finally:
        server.close()


async def ask(port: int, times: int = 1) -> None:
    settings = LlmSettings(base_url=f"http://127.0.0.1:{port}/v1", request_seconds=1)
    async with open_session(settings) as session:
        for _ in range(times):
            await post(session, f"{settings.base_url}/responses", b"{}")


@pytest.mark.parametrize(
    ("handler", "times"),
    [(drop, 1), (drop_hard, 1), (answer_once, 2), (drop_in_the_body, 1), (stay_silent, 1)],
)
def test_a_request_that_reached_the_server_may_be_paid(handler: Handler, times: int) -> None:
    with pytest.raises(NoReplyError) as failure:
        asyncio.run(sent(handler, times))
    assert failure.value.paid
    assert "ConnectTimeout" not in str(failure.value)


def test_what_was_never_sent_is_not_paid() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]  # bound, but nobody listens
        with pytest.raises(NoReplyError, match="Cannot connect") as failure:
            asyncio.run(ask(port))
    assert not failure.value.paid


def test_a_server_that_takes_no_connection_is_not_paid() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), pytest.raises(NoReplyError) as failure:
            asyncio.run(ask(port))
    assert not failure.value.paid
