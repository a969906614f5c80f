"""The loopback Hub's HTTP: requests, faults, replies; `hub_routes` says what is answered."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from hub_store import HubError, Repo

if TYPE_CHECKING:
    from hub_server import HubServer

KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}


class Reply:
    """An answer: status, JSON or bytes, headers."""

    def __init__(self, body: Any = None, status: int = 200, **headers: str) -> None:
        self.raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Handler(BaseHTTPRequestHandler):
    """One connection. Routes are tried in order; the first whose pattern matches answers."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for headers and body: two wait for each other
    disable_nagle_algorithm = True
    server_hub: ClassVar[HubServer]
    routes: ClassVar[Sequence[tuple[str, str, Callable[..., Reply]]]]

    def log_message(self, *args: object) -> None:
        """Nothing on the terminal: requests are in the server's log."""

    def handle_any(self) -> None:
        hub = self.server_hub
        url = urlsplit(self.path)
        # Revisions come quoted (refs%2Fpr%2F1): they must not be taken for a path.
        self.quoted, self.query = url.path, parse_qs(url.query)
        request = f"{self.command} {unquote(url.path)}"
        self.body = self._read_body()
        with hub.lock:
            hub.log.append(request)
        fault = hub.take_fault(request)
        if fault is not None and callable(fault.kind) and not fault.after:
            fault.kind()
        if fault is not None and fault.kind == "drop":
            return self._hang_up()
        if fault is not None and fault.kind in ("429", "500"):
            headers = {"Retry_After": "0"} if fault.kind == "429" else {}
            return self._send(Reply({"error": "not now"}, int(str(fault.kind)), **headers))
        reply = self._answer()
        if fault is not None and fault.after:
            if fault.kind == "lose":
                return self._hang_up()
            assert callable(fault.kind)
            fault.kind()
        return self._send(reply)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = handle_any

    def _answer(self) -> Reply:
        try:
            with self.server_hub.lock:
                for methods, pattern, route in self.routes:
                    if self.command in methods.split() and (
                        found := re.fullmatch(pattern, self.quoted)
                    ):
                        return route(self, *found.groups())
            raise HubError(404, "EntryNotFound", f"the loopback Hub has no {self.quoted}")
        except HubError as error:
            return Reply(
                {"error": error.message},
                error.status,
                X_Error_Code=error.code,
                X_Error_Message=error.message,
            )

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if "Content-Type" not in reply.headers:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply.raw)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.raw)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().strip(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def repo(self, kinds: str, name: str) -> Repo:
        repo = self.server_hub.repo(unquote(name), KINDS[kinds])
        if repo.private and not self.headers.get("Authorization"):
            raise HubError(401, "RepoNotFound", "Repository not found")
        return repo

    def writable(self, kinds: str, name: str) -> Repo:
        if not self.headers.get("Authorization"):
            raise HubError(401, "Unauthorized", "Invalid username or password.")
        return self.repo(kinds, name)
