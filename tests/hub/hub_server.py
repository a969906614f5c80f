"""A Hugging Face Hub on loopback, good enough for the real `huggingface_hub` and `datasets`.

    with HubServer() as hub:
        subprocess.run([...], env=hub.env(home))     # a process that believes it is online
        hub.repo("me/data").files()                  # what lies on main
        hub.fault("PUT /_lfs/", "drop", times=2)     # the next two uploads lose their connection

Everything is in memory and served by threads of this process. It does what the Hub does as far as
commits, branches, tags, pull requests, large files and downloads go, and knows no more accounts
than "me": any token is me, none is nobody, who sees no private repository.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from hub_handler import Handler
from hub_routes import ROUTES
from hub_store import HubError, Repo

Kind = Literal["drop", "lose", "429", "500"] | Callable[[], None]
TOKEN = "hf_loopback"


@dataclass
class Fault:
    """What happens to requests "METHOD /path" that a pattern is found in."""

    pattern: re.Pattern[str]
    kind: Kind
    skip: int
    times: int
    after: bool


class HubServer:
    """The Hub; `endpoint` is its address. Enter it to start, leave it to stop."""

    def __init__(self, page_size: int = 1000) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.log: list[str] = []
        self.page_size = page_size
        self.lock = threading.RLock()
        self._faults: list[Fault] = []
        hub = self

        class Bound(Handler):
            server_hub = hub
            routes = ROUTES

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that was killed is no error here."""

        self._server = Server(("127.0.0.1", 0), Bound)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> HubServer:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def env(self, home: Path, token: str | None = TOKEN) -> dict[str, str]:
        """The environment of a process for which this is the Hub; its caches lie in `home`."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        kept |= {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        return kept | ({"HF_TOKEN": token} if token else {})

    def repo(self, name: str, kind: str = "dataset") -> Repo:
        """A repository; HubError (404) where there is none."""
        try:
            return self.repos[kind, name]
        except KeyError:
            raise HubError(404, "RepoNotFound", f"Repository not found: {name}") from None

    def create(self, name: str, kind: str = "dataset", private: bool = False) -> Repo:
        """Make a repository; HubError (409) where there is one."""
        with self.lock:
            if (kind, name) in self.repos:
                raise HubError(409, "Conflict", "You already created this repo")
            self.repos[kind, name] = Repo(kind, name, private)
            return self.repos[kind, name]

    def fault(
        self, pattern: str, kind: Kind, *, skip: int = 0, times: int = 1, after: bool = False
    ) -> None:
        """Break requests whose "METHOD /path" (unquoted) holds the regular expression.

        kind: "drop" closes the connection unanswered, before anything is done; "lose" does what is
        asked and then closes it; "429" and "500" answer that; a function is called (it may kill
        the client, or commit to main in between), before the request is done or, with `after`,
        after it, and the request goes on. skip: matching requests that pass before.
        """
        with self.lock:
            self._faults.append(
                Fault(re.compile(pattern), kind, skip, times, after or kind == "lose")
            )

    def pending(self) -> int:
        """How many faults have not happened yet."""
        with self.lock:
            return sum(fault.times for fault in self._faults)

    def take_fault(self, request: str) -> Fault | None:
        """The fault of this request, counted down; for the handler."""
        with self.lock:
            for fault in self._faults:
                if fault.times and fault.pattern.search(request):
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None

    def requests(self, pattern: str) -> list[str]:
        """Logged requests "METHOD /path" in which the regular expression is found."""
        with self.lock:
            return [line for line in self.log if re.search(pattern, line)]
