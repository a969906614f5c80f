"""A loopback server that plays an OpenAI-compatible endpoint, for tests, benchmarks and kill tests.

    python tests/llm/openai_server.py --port 0 --latency 0.2 --faults faults.json --state DIR

prints one line of JSON with its port and url when it is ready. It speaks Responses, Chat
Completions, Models, Files and Batches; what it answers is in `openai_plays`, what can go wrong in
`openai_faults`, what it counts in `openai_counts`. From a test:

    with start_server({"latency": 0.1}) as server:
        AsyncOpenAI(base_url=server.url, api_key="sk-test")
        server.set_faults({"rules": [{"fault": "rate_limit", "ordinals": [0]}]})
        server.stats()["billed_online"]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import http.client
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class LoopbackServer:
    """A running server, as tests see it. `url` ends in /v1, as a client's base_url does."""

    url: str
    port: int
    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self.process.pid

    def stats(self, *, whole: bool = True) -> dict[str, Any]:
        """What was served so far; `whole=False` leaves out the maps by content."""
        value: dict[str, Any] = self._call("GET", f"/control/stats?whole={int(whole)}")
        return value

    def set_faults(self, settings: dict[str, Any]) -> None:
        """Replace the settings (`openai_faults`), e.g. `{"latency": 0.2, "rules": [...]}`."""
        self._call("POST", "/control", settings)

    def reset(self) -> None:
        """Set all counts to zero; files and batches stay."""
        self._call("POST", "/control/reset", {})

    def kill(self) -> None:
        """End the server."""
        self.process.kill()
        self.process.wait()

    def _call(self, method: str, path: str, value: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, None if value is None else json.dumps(value))
            reply = connection.getresponse()
            body = json.loads(reply.read())
            if reply.status != 200:
                raise ValueError(f"{path}: {body['error']['message']}")
            return body


@contextlib.contextmanager
def start_server(settings: dict[str, Any] | None = None) -> Iterator[LoopbackServer]:
    """Run the server as a process of its own; it ends with the block, or with this process."""
    with tempfile.TemporaryDirectory(prefix="openai-server-") as state:
        faults = Path(state) / "faults.json"
        faults.write_text(json.dumps(settings or {}))
        process = subprocess.Popen(
            [
                *(sys.executable, str(Path(__file__).resolve()), "--until-stdin-closes"),
                *("--faults", str(faults), "--state", state),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        server = LoopbackServer(ready["url"], ready["port"], process)
        try:
            yield server
        finally:
            server.kill()


async def serve(port: int, settings: dict[str, Any], state: Path, until_stdin_closes: bool) -> None:
    """Serve on the loopback interface until cancelled."""
    from openai_http import Connection
    from openai_routes import Endpoint

    # What is made per request is not cyclic; what stays is counters.
    gc.freeze()
    gc.set_threshold(100_000)
    loop = asyncio.get_running_loop()
    endpoint = Endpoint(settings, state)
    server = await loop.create_server(
        lambda: Connection(endpoint.handle), "127.0.0.1", port, backlog=2048
    )
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"port": port, "url": f"http://127.0.0.1:{port}/v1"}), flush=True)
    if until_stdin_closes:
        await loop.run_in_executor(None, sys.stdin.read)
    else:
        await server.serve_forever()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, help="seconds; overrides the faults file's")
    parser.add_argument("--faults", type=Path, help="JSON file of settings, see openai_faults.py")
    parser.add_argument("--state", type=Path, help="folder for uploaded files")
    parser.add_argument("--until-stdin-closes", action="store_true")
    given = parser.parse_args()
    settings = json.loads(given.faults.read_text()) if given.faults else {}
    if given.latency is not None:
        settings["latency"] = given.latency
    with contextlib.ExitStack() as stack:
        state = given.state or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        state.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(given.port, settings, state, given.until_stdin_closes))


if __name__ == "__main__":
    main()
