"""`gather` against the loopback endpoint, well and with everything that goes wrong."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
from aiohttp import web
from online_asker import SCHEMA, picture, request
from openai_server import LoopbackServer, start_server

from mgld.llm import Image, Ledger, LlmSettings, Parameters
from mgld.llm import online as online_module
from mgld.llm.client import open_session, post
from mgld.llm.errors import BudgetError, DeadlineError, EndpointError
from mgld.llm.images import data_url
from mgld.llm.ledger import Claim
from mgld.llm.limits import Pace, Throttle, backoff
from mgld.llm.online import gather
from mgld.llm.wire import PATHS, body, read_reply

KEY = "sk-test-abcdefghijklmnop-1234"


@pytest.fixture(scope="module")
def running() -> Iterator[LoopbackServer]:
    with start_server() as server:
        yield server


@pytest.fixture
def server(running: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> LoopbackServer:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("mgld.llm.limits.FIRST_BACKOFF", 0.01)
    running.set_faults({})
    while running.stats(whole=False)["in_flight"]:
        time.sleep(0.01)
    running.reset()
    return running


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def settings(server: LoopbackServer, **changes: Any) -> LlmSettings:
    values = {"base_url": server.url, "api": "responses", "concurrency": 8, **changes}
    return LlmSettings(**values)


def answers(ledger: Ledger, number: int, **options: Any) -> list[str]:
    asked = [request(each, **options) for each in range(number)]
    stored = ledger.replies(each.key for each in asked)
    texts = []
    for each in asked:
        reply = stored[each.key]
        said = read_reply(reply.api, reply.http_status, reply.raw)
        texts.append(f"{said.status}: {said.text or said.reason}")
    return texts


def billed(server: LoopbackServer) -> list[int]:
    """How often each content was answered."""
    return sorted(server.stats()["online"].values())


def statuses(server: LoopbackServer) -> Counter[str]:
    """How often each HTTP status was given, over all routes."""
    return sum((Counter(each) for each in server.stats()["statuses"].values()), Counter())


def test_every_request_is_answered_once(server: LoopbackServer, ledger: Ledger) -> None:
    seen: list[int] = []
    asked = [request(each, with_image=True) for each in range(20)]
    first = gather([*asked, asked[0]], ledger, settings(server), on_reply=seen.append)
    assert (first.answered, first.before, first.errors, first.lost) == (20, 1, 0, 0)
    assert sum(seen) == 20
    assert all(text.startswith('ok: {"answer"') for text in answers(ledger, 20, with_image=True))
    stored = ledger.replies([asked[0].key])[asked[0].key]
    assert stored.input_tokens > 0
    assert stored.usd > 0
    assert first.usd == pytest.approx(ledger.money().charged)
    again = gather(asked, ledger, settings(server))
    assert (again.answered, again.before, again.usd) == (0, 20, 0)
    assert billed(server) == [1] * 20


@pytest.mark.parametrize("api", ["responses", "chat", "chat-json", "chat-text"])
def test_what_is_sent_is_what_the_openai_client_sends(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headers and body of one request, from us and from the client, as a server gets them."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    got: list[tuple[str, dict[str, str], Any]] = []

    async def keep(request: web.Request) -> web.Response:
        got.append((request.path, dict(request.headers), await request.json()))
        return web.json_response({})

    async def ask() -> None:
        app = web.Application()
        app.router.add_post("/v1/{path:.*}", keep)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        ours = LlmSettings(base_url=f"http://127.0.0.1:{port}/v1")
        asked = request(1, with_image=True)
        parameters = Parameters(temperature=0.5, extra_body={"top_p": 0.5})
        asked = type(asked)(**{**asked.__dict__, "parameters": parameters})
        fields = body(asked, data_url(picture(1), parameters), api)
        async with open_session(ours) as session:
            await post(session, f"{ours.base_url}{PATHS[api]}", json.dumps(fields).encode())
        client = openai.AsyncOpenAI(base_url=ours.base_url, max_retries=0)
        if api == "responses":
            await client.responses.create(**fields)
        else:
            await client.chat.completions.create(**fields)
        await client.close()
        await runner.cleanup()

    asyncio.run(ask())
    (our_path, our_headers, our_body), (its_path, its_headers, its_body) = got
    assert our_path == its_path
    assert our_body == its_body
    assert our_headers["Authorization"] == f"Bearer {KEY}"
    assert our_headers["OpenAI-Organization"] == "org-1"
    # What differs on purpose or by transport: the async client says so of itself.
    differ = {"X-Stainless-Async", "Content-Length", "Accept-Encoding", "Connection"}
    differ |= {"x-stainless-read-timeout", "x-stainless-retry-count", "X-Stainless-Retry-Count"}
    lower = {name.lower() for name in differ}
    ours = {k.lower(): v for k, v in our_headers.items() if k.lower() not in lower}
    its = {k.lower(): v for k, v in its_headers.items() if k.lower() not in lower}
    ours["user-agent"] = ours["user-agent"].replace("OpenAI/", "AsyncOpenAI/")
    its["user-agent"] = its["user-agent"].replace("AsyncAsync", "Async")
    assert ours == its


@pytest.mark.parametrize(
    ("unsupported", "found"),
    [
        ([], "responses"),
        (["responses"], "chat"),
        (["responses", "json_schema"], "chat-json"),
        (["responses", "json_schema", "json_object"], "chat-text"),
    ],
)
def test_the_dialect_is_found_with_the_first_request_and_kept(
    server: LoopbackServer, ledger: Ledger, unsupported: list[str], found: str
) -> None:
    server.set_faults({"unsupported": unsupported})
    done = gather([request(each) for each in range(10)], ledger, settings(server, api="auto"))
    assert (done.api, done.answered) == (found, 10)
    assert billed(server) == [1] * 10
    server.reset()
    done = gather([request(each) for each in range(10, 12)], ledger, settings(server, api="auto"))
    assert done.api == found
    assert statuses(server) == {"200": 2}, "it was asked again what it speaks"


def test_a_first_request_that_is_not_answered_says_nothing_of_the_dialect(
    server: LoopbackServer, ledger: Ledger
) -> None:
    """It was kept as understood for good: every later run asked a route that is not there."""
    server.set_faults({"unsupported": ["responses"]})

    def away() -> bytes:
        raise OSError("no such member")

    unreadable = replace(request(0), image=Image("0" * 64, away))
    auto = settings(server, api="auto", concurrency=1)
    with Ledger(ledger.path) as another:
        another.apply([Claim(request(1))])
        freeing = threading.Timer(0.3, another.close)
        freeing.start()
        done = gather([unreadable, *(request(each) for each in range(1, 5))], ledger, auto)
        freeing.join()
    assert (done.api, done.answered) == ("chat", 5)


def test_the_proxy_of_the_environment_is_used(
    server: LoopbackServer, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The endpoint plays the proxy as well: it is asked for another host's address.
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    elsewhere = settings(server, base_url="http://models.invalid/v1")
    with pytest.raises(EndpointError, match=r"models\.invalid"):
        gather([request(1)], ledger, elsewhere)
    assert server.stats(whole=False)["statuses"]
    server.reset()
    assert gather([request(1)], ledger, settings(server)).answered == 1


def test_fences_around_the_first_reply_change_no_dialect(
    server: LoopbackServer, ledger: Ledger
) -> None:
    server.set_faults({"rules": [{"fault": "fenced"}]})
    done = gather([request(each) for each in range(3)], ledger, settings(server, api="auto"))
    assert (done.api, done.answered) == ("responses", 3)


def test_an_endpoint_that_speaks_nothing_known_is_said_so(
    server: LoopbackServer, ledger: Ledger
) -> None:
    server.set_faults({"unsupported": ["responses", "chat"]})
    with pytest.raises(EndpointError, match="accepts none of responses, chat"):
        gather([request(1)], ledger, settings(server, api="auto"))
    assert ledger.money().reserved == 0


PASSING = [
    {"fault": "rate_limit", "retry_after_ms": 20},
    {"fault": "rate_limit"},
    {"fault": "status", "status": 500},
    {"fault": "status", "status": 502},
    {"fault": "status", "status": 503},
    {"fault": "drop"},
]


@pytest.mark.parametrize("rule", PASSING, ids=lambda rule: "-".join(map(str, rule.values())))
def test_what_passes_is_tried_again(
    server: LoopbackServer, ledger: Ledger, rule: dict[str, Any]
) -> None:
    server.set_faults({"rules": [{**rule, "share": 0.4, "tries": 2}]})
    done = gather([request(each) for each in range(30)], ledger, settings(server))
    assert (done.answered, done.errors) == (30, 0)
    assert done.retries > 5
    assert billed(server) == [1] * 30


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "cut"},
        {"fault": "broken_json"},
        {"fault": "drop", "billed": True},
        {"fault": "slow", "seconds": 5},
    ],
    ids=["cut", "broken json", "drop", "slow"],
)
def test_replies_that_are_lost_on_the_way_are_charged_at_their_bound(
    server: LoopbackServer, ledger: Ledger, rule: dict[str, Any]
) -> None:
    server.set_faults({"rules": [{**rule, "ordinals": [0, 3, 7]}]})
    limits = settings(server, request_seconds=0.6, concurrency=4)
    done = gather([request(each) for each in range(20)], ledger, limits)
    assert (done.answered, done.errors, done.lost, done.retries) == (20, 0, 3, 3)
    assert len(billed(server)) == 20
    assert sum(billed(server)) == 23
    assert ledger.money().lost > 0
    assert done.usd == pytest.approx(ledger.money().charged)


def test_retry_after_is_waited_for(server: LoopbackServer, ledger: Ledger) -> None:
    server.set_faults({"rules": [{"fault": "rate_limit", "retry_after": 1, "ordinals": [0]}]})
    began = time.monotonic()
    gather([request(1)], ledger, settings(server))
    assert 1 <= time.monotonic() - began < 3


def test_a_wait_of_a_day_stops_the_run_instead(server: LoopbackServer, ledger: Ledger) -> None:
    server.set_faults({"rules": [{"fault": "rate_limit", "retry_after": 86400}]})
    with pytest.raises(EndpointError, match=r"wait 1,440 minutes"):
        gather([request(1)], ledger, settings(server))
    assert ledger.money().charged == 0


def test_one_request_that_always_fails_is_an_error_row(
    server: LoopbackServer, ledger: Ledger
) -> None:
    server.set_faults({"rules": [{"fault": "status", "status": 500, "match": "Tower 3."}]})
    done = gather([request(each) for each in range(30)], ledger, settings(server, concurrency=2))
    assert (done.answered, done.errors) == (30, 1)
    texts = answers(ledger, 30)
    assert texts[3].startswith("error: given up after many tries, last: HTTP 500")
    assert sum(text.startswith("ok") for text in texts) == 29


def test_one_request_that_always_fails_stops_no_run_of_one_at_a_time(
    server: LoopbackServer, ledger: Ledger
) -> None:
    """The run stopped at it, and so did every run after it."""
    server.set_faults({"rules": [{"fault": "status", "status": 500, "match": "Tower 0."}]})
    done = gather([request(each) for each in range(4)], ledger, settings(server, concurrency=1))
    assert (done.answered, done.errors) == (4, 1)
    assert answers(ledger, 1)[0].startswith("error: given up after many tries, last: HTTP 500")


def test_an_endpoint_that_answers_nobody_stops_the_run_and_makes_no_error_rows(
    server: LoopbackServer, ledger: Ledger
) -> None:
    server.set_faults({"rules": [{"fault": "status", "status": 503}]})
    with pytest.raises(EndpointError, match=r"has answered nothing for .* HTTP 503"):
        gather([request(each) for each in range(30)], ledger, settings(server))
    assert ledger.answered() == set()
    assert ledger.money().charged == 0
    server.set_faults({})
    assert gather([request(each) for each in range(30)], ledger, settings(server)).answered == 30


def test_a_server_that_is_not_there(ledger: Ledger, server: LoopbackServer) -> None:
    nobody = LlmSettings(base_url="http://127.0.0.1:9/v1", api="chat")
    with pytest.raises(EndpointError, match="answered nothing"):
        gather([request(1)], ledger, nobody)
    assert ledger.money().charged == 0


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"fault": "quota"}, "quota"),
        ({"fault": "bad_key"}, "401"),
        ({"fault": "status", "status": 403}, "403"),
    ],
)
def test_what_no_request_can_pass_stops_at_once_and_tells_no_secret(
    server: LoopbackServer, ledger: Ledger, rule: dict[str, Any], why: str
) -> None:
    server.set_faults({"rules": [rule]})
    with pytest.raises(EndpointError, match=why) as stopped:
        gather([request(each) for each in range(50)], ledger, settings(server, concurrency=2))
    assert sum(statuses(server).values()) <= 4
    assert KEY[:8] not in str(stopped.value)
    assert ledger.answered() == set()
    assert ledger.money().charged == 0
    for row in ledger.rows("SELECT outcome FROM attempts"):
        assert KEY[:8] not in row[0]


def test_a_call_that_is_refused_throughout_stops(server: LoopbackServer, ledger: Ledger) -> None:
    server.set_faults({"rules": [{"fault": "status", "status": 400}]})
    with pytest.raises(EndpointError, match="refused 20 requests in a row"):
        gather([request(each) for each in range(60)], ledger, settings(server))


@pytest.mark.parametrize(
    ("fault", "status", "why"),
    [
        ("refusal", "refused", "refusal"),
        ("content_filter", "refused", "content filter"),
        ("azure_filter", "refused", "HTTP 400"),
        ("empty", "error", "empty reply"),
    ],
)
@pytest.mark.parametrize("api", ["responses", "chat"])
def test_refusals_and_empty_replies_are_kept_with_their_reason(
    server: LoopbackServer, ledger: Ledger, api: str, fault: str, status: str, why: str
) -> None:
    server.set_faults({"rules": [{"fault": fault, "match": "Tower 1."}]})
    done = gather([request(each) for each in range(3)], ledger, settings(server, api=api))
    assert done.answered == 3
    texts = answers(ledger, 3)
    assert texts[1].startswith(status)
    assert why in texts[1]
    assert texts[0].startswith("ok")


def test_a_cut_off_text_is_told(server: LoopbackServer, ledger: Ledger) -> None:
    server.set_faults({"rules": [{"fault": "truncated_text"}]})
    gather([request(1)], ledger, settings(server))
    stored = ledger.replies([request(1).key])[request(1).key]
    said = read_reply(stored.api, stored.http_status, stored.raw)
    assert (said.status, said.truncated) == ("ok", True)


def test_an_image_that_cannot_be_read_is_an_error_row_and_costs_nothing(
    server: LoopbackServer, ledger: Ledger
) -> None:
    good = request(1, with_image=True)
    bad = type(good)(**{**good.__dict__, "image": Image("b" * 64, lambda: b"no image")})

    def gone() -> bytes:
        raise OSError("the archive is gone")

    away = type(good)(**{**good.__dict__, "image": Image("c" * 64, gone)})
    done = gather([good, bad, away], ledger, settings(server))
    assert (done.answered, done.errors) == (3, 2)
    stored = ledger.replies([bad.key, away.key])
    assert b"the image cannot be sent" in stored[bad.key].raw
    assert b"the archive is gone" in stored[away.key].raw
    assert billed(server) == [1]


def test_the_budget_is_never_passed(server: LoopbackServer, ledger: Ledger) -> None:
    server.set_faults({"latency": 0.02})
    asked = [request(each) for each in range(200)]
    with pytest.raises(BudgetError, match=r"\$0\.05"):
        gather(asked, ledger, settings(server, max_usd=0.05))
    money = ledger.money()
    assert 0.03 < money.charged <= 0.05
    assert money.reserved == 0
    answered = len(ledger.answered())
    assert 0 < answered < 200
    # The server's own count of what it answered: all of it is in the ledger.
    assert billed(server) == [1] * answered
    assert gather(asked, ledger, settings(server, max_usd=5)).answered == 200 - answered


def test_a_budget_that_open_batches_hold_is_not_waited_for(
    server: LoopbackServer, ledger: Ledger
) -> None:
    ledger.apply([Claim(request(99), usd=1.0, batch="t")])
    with pytest.raises(BudgetError, match=r"\$1\.0000 of it at most, for batches"):
        gather([request(1)], ledger, settings(server, max_usd=1.0))


_HOLDER = """
import sys, time
from online_asker import request
from mgld.llm.ledger import Claim, Ledger
ledger = Ledger(sys.argv[1])
ledger.apply([Claim(request(99), usd=1.0)])
print("holds", flush=True)
time.sleep(60)
"""


def test_a_budget_that_a_killed_process_held_is_not_waited_for(
    server: LoopbackServer, ledger: Ledger
) -> None:
    where = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", _HOLDER, str(ledger.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=where) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        killing = threading.Timer(0.3, holder.kill)
        killing.start()
        with pytest.raises(BudgetError, match=r"\$1\.0000 of it only perhaps"):
            gather([request(1)], ledger, settings(server, max_usd=1.0))
        assert not killing.is_alive(), "it was not waited for while it lived"


def test_what_is_put_into_a_batch_meanwhile_is_left_to_it(
    server: LoopbackServer, ledger: Ledger
) -> None:
    server.set_faults({"latency": 0.2})

    def take_the_last(number: int) -> None:
        with Ledger(ledger.path) as another:
            another.apply([Claim(request(3), batch="t")])

    asked = [request(each) for each in range(4)]
    done = gather(asked, ledger, settings(server, concurrency=1), on_reply=take_the_last)
    assert (done.answered, done.elsewhere) == (3, 1)


def test_a_budget_needs_a_price(server: LoopbackServer, ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="no price is known"):
        gather([request(1, model="my-own")], ledger, settings(server, max_usd=1))


def test_the_total_deadline_stops_and_can_be_resumed(
    server: LoopbackServer, ledger: Ledger
) -> None:
    server.set_faults({"latency": 0.1})
    asked = [request(each) for each in range(100)]
    with pytest.raises(DeadlineError):
        gather(asked, ledger, settings(server, concurrency=4, total_seconds=1))
    answered = len(ledger.answered())
    assert 8 <= answered <= 60
    assert gather(asked, ledger, settings(server)).answered == 100 - answered


def test_limits_hold(server: LoopbackServer, ledger: Ledger) -> None:
    asked = [request(each) for each in range(40)]
    done = gather(asked, ledger, settings(server, requests_per_minute=1200))
    assert 39 / 20 <= done.seconds < 4
    assert server.stats()["max_in_flight"] <= 8


def test_an_interrupted_run_charges_what_was_in_flight(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.set_faults({"latency": 0.3})

    def stop_soon(number: int) -> None:
        raise KeyboardInterrupt

    with Ledger(tmp_path / "l.sqlite") as ledger, pytest.raises(KeyboardInterrupt):
        gather([request(each) for each in range(50)], ledger, settings(server), on_reply=stop_soon)
    with Ledger(tmp_path / "l.sqlite") as ledger:
        money = ledger.money()
        assert money.reserved == 0
        assert money.lost > 0
        assert gather([request(0)], ledger, settings(server)).errors == 0


def test_two_runs_on_one_ledger_share_the_work(server: LoopbackServer, tmp_path: Path) -> None:
    server.set_faults({"latency": 0.05})
    asked = [request(each) for each in range(60)]
    results = []

    def run() -> None:
        with Ledger(tmp_path / "l.sqlite") as ledger:
            results.append(gather(asked, ledger, settings(server)))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.answered for result in results) == 60
    assert all(r.answered + r.elsewhere + r.before == 60 for r in results)
    assert billed(server) == [1] * 60


def test_pace_spreads_and_corrects(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pace = Pace(60)
    assert [pace.take(1) for _ in range(3)] == [0, 1, 2]
    pace.correct(-2)
    assert pace.take(1) == 1
    assert Pace(None).take(1e9) == 0


def under_way(throttle: Throttle) -> int:
    """How many may be under way at once."""
    number = 0
    while not throttle.enter():
        number += 1
    for _ in range(number):
        throttle.leave()
    return number


def test_a_429_slows_down_and_success_speeds_up() -> None:
    throttle = Throttle(10)
    throttle.too_many(0)
    assert under_way(throttle) == 7
    throttle.too_many(0)  # of the same moment
    assert under_way(throttle) == 7
    for _ in range(30):
        throttle.went_well()
    assert under_way(throttle) == 10


def test_a_slowed_run_ends_with_whoever_has_the_last_requests(
    server: LoopbackServer, ledger: Ledger
) -> None:
    """Once, workers above the lowered limit waited for others that had nothing left to do."""
    server.set_faults(
        {"latency": 0.2, "rules": [{"fault": "rate_limit", "share": 1.0, "tries": 1}]}
    )
    done = gather([request(each) for each in range(8)], ledger, settings(server))
    assert (done.answered, done.errors) == (8, 0)


def test_backoff_grows_is_jittered_and_keeps_to_retry_after() -> None:
    waits = [[backoff(tries) for _ in range(50)] for tries in (1, 3, 20)]
    assert all(0.25 <= wait <= 0.75 for wait in waits[0])
    assert all(1 <= wait <= 3 for wait in waits[1])
    assert all(15 <= wait <= 45 for wait in waits[2])
    assert len(set(waits[0])) > 40
    assert all(7 <= backoff(1, 7.0) < 8 for _ in range(20))


def test_the_schema_is_in_the_prompt_where_the_endpoint_cannot_hold_it() -> None:
    fields = body(request(1), None, "chat-text")
    assert json.dumps(SCHEMA.json_schema) in fields["messages"][0]["content"]
    assert "response_format" not in fields
    assert online_module.TRIES > 1
