"""Replies that no endpoint should give: whatever it says, a run ends with rows and a bill."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from online_asker import request

from mgld.llm import Ledger, LlmSettings
from mgld.llm.client import redact
from mgld.llm.errors import BudgetError, EndpointError
from mgld.llm.online import gather
from mgld.llm.wire import read_reply

KEY = "sk-test-abcdefghijklmnop-1234"
USAGE = {"input_tokens": 10, "output_tokens": 5}
HALF = "\ud800"
DEEP = b"[" * 100_000


class Endpoint(ThreadingHTTPServer):
    """Answers every POST alike; `url` as a client's base URL."""

    daemon_threads = True
    status, raw, asked = 200, b"", 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.raw)))
        self.end_headers()
        with suppress(OSError):  # who asked has heard enough
            self.wfile.write(self.server.raw)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("mgld.llm.limits.FIRST_BACKOFF", 0.001)
    with Endpoint(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def responses(text: str = '{"answer": "x"}', **more: Any) -> bytes:
    message = {"type": "message", "content": [{"type": "output_text", "text": text}]}
    return json.dumps({"model": "m", "output": [message], "usage": USAGE, **more}).encode()


def settings(endpoint: Endpoint, **changes: Any) -> LlmSettings:
    return LlmSettings(base_url=endpoint.url, concurrency=2, **changes)


@pytest.mark.parametrize(
    "raw",
    [
        responses(usage={"input_tokens": "12", "output_tokens": None}),
        responses(usage={"input_tokens": float("nan"), "output_tokens": float("inf")}),
        responses(usage={"input_tokens": -1_000_000, "output_tokens": 10**30}),
        responses(usage=[1], model={"a": 1}),
        responses(usage={"input_tokens_details": 7}, model=HALF),
    ],
)
def test_usage_and_model_of_any_kind_are_stored(
    raw: bytes, endpoint: Endpoint, ledger: Ledger
) -> None:
    endpoint.raw = raw
    asked = [request(each) for each in range(3)]
    assert gather(asked, ledger, settings(endpoint)).answered == 3
    assert ledger.money().spent >= 0
    stored = ledger.replies([asked[0].key])[asked[0].key]
    assert read_reply(stored.api, stored.http_status, stored.raw).status == "ok"


def test_half_a_surrogate_pair_is_no_reason_to_crash(endpoint: Endpoint, ledger: Ledger) -> None:
    refusal = [{"type": "message", "content": [{"type": "refusal", "refusal": f"no {HALF}"}]}]
    said = read_reply("responses", 200, responses(output=refusal))
    assert said[:3] == ("refused", "", "refusal: no ?")
    endpoint.status, endpoint.raw = 400, json.dumps({"error": {"message": HALF}}).encode()
    assert gather([request(1)], ledger, settings(endpoint)).errors == 1
    assert redact(HALF, settings(endpoint)) == "?"


def test_json_that_is_too_deep_is_not_a_reply() -> None:
    said = read_reply("chat", 200, DEEP)
    assert (said.status, said.reason[:33]) == ("error", "HTTP 200, not a reply of this API")


def test_what_says_no_usage_is_charged_at_its_bound(endpoint: Endpoint, ledger: Ledger) -> None:
    """An endpoint that tells no tokens spent any budget without end."""
    endpoint.raw = responses(usage=None)
    with pytest.raises(BudgetError, match="budget is used up"):
        gather([request(each) for each in range(50)], ledger, settings(endpoint, max_usd=0.05))
    assert 0 < endpoint.asked < 50
    assert 0.03 < ledger.money().spent <= 0.05


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"status": "up"}', "accepts none of responses.*{.status.: .up.}"),
        (b"<!doctype html><p>Welcome", "answered nothing.*<!doctype html><p>Welcome"),
        (b'data: {"x": 1}\n\ndata: [DONE]', "answered nothing.*data: "),
        (b'{"error": {"message": "no such user: %s"}}' % KEY.encode(), r"no such user: \[key\]"),
    ],
)
def test_a_200_that_is_no_reply_makes_no_rows(
    raw: bytes, said: str, endpoint: Endpoint, ledger: Ledger
) -> None:
    """A wrong address, an endpoint that streams, a router's error."""
    endpoint.raw = raw
    with pytest.raises(EndpointError, match=said) as error:
        gather([request(each) for each in range(30)], ledger, settings(endpoint))
    assert KEY not in str(error.value)
    assert ledger.answered() == set()
    assert endpoint.asked < 10


def test_a_200_that_is_never_a_reply_stops_a_run_of_a_given_dialect(
    endpoint: Endpoint, ledger: Ledger
) -> None:
    endpoint.raw = b'{"status": "up"}'
    with pytest.raises(EndpointError, match="refused 20 requests in a row"):
        gather([request(each) for each in range(60)], ledger, settings(endpoint, api="chat"))


def test_pictures_that_a_filter_refuses_are_rows_however_many_there_are(
    endpoint: Endpoint, ledger: Ledger
) -> None:
    endpoint.status, endpoint.raw = 400, b'{"error": {"code": "content_filter", "message": "no"}}'
    asked = [request(each) for each in range(30)]
    assert gather(asked, ledger, settings(endpoint, api="chat")).answered == 30


def test_a_key_in_an_answer_is_not_kept(endpoint: Endpoint, ledger: Ledger) -> None:
    endpoint.raw = responses(f"{KEY} and sk-not-ours-but-said {{}}")
    gather([request(1)], ledger, settings(endpoint))
    stored = ledger.replies([request(1).key])[request(1).key]
    assert b"[key] and sk-not-ours-but-said" in stored.raw


def test_a_reply_without_end_is_not_read_to_its_end(
    endpoint: Endpoint, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mgld.llm.client.MOST_BYTES", 100_000)
    endpoint.raw = responses('{"answer": "%s"}' % ("x" * 200_000))
    with pytest.raises(EndpointError, match="more than 100,000 bytes"):
        gather([request(1)], ledger, settings(endpoint))
    endpoint.raw = responses('{"answer": "%s"}' % ("x" * 50_000))
    assert gather([request(1)], ledger, settings(endpoint)).answered == 1
