from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_case import KEY, Case, make_requests, picture
from openai import OpenAI
from openai_server import LoopbackServer, start_server

from mgld.llm import (
    Image,
    Ledger,
    LlmSettings,
    batch_book,
    batch_collect,
    batch_create,
    batch_endpoint,
    batch_file,
    limits,
)
from mgld.llm.batch import collect, poll, run_batches, submit
from mgld.llm.errors import BudgetError, DeadlineError, EndpointError
from mgld.llm.ledger import Claim
from mgld.llm.wire import read_reply

POLL = 0.02


@pytest.fixture(scope="module")
def running() -> Iterator[LoopbackServer]:
    with start_server() as server:
        yield server


@pytest.fixture
def case(
    running: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Case]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(limits, "FIRST_BACKOFF", 0.01)
    monkeypatch.setattr(limits, "LONGEST_BACKOFF", 0.05)
    monkeypatch.setattr(batch_create, "GRACE_SECONDS", 0.4)
    monkeypatch.setattr(batch_create, "LIST_SECONDS", 0.05)
    running.set_faults({"batch_polls": 0})
    running.reset()
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        yield Case(running, ledger, tmp_path)


def faults(case: Case, *rules: dict[str, Any], **settings: Any) -> None:
    case.server.set_faults({"batch_polls": 0, "rules": list(rules), **settings})


def run(case: Case, requests: list[Any], **settings: Any) -> Any:
    found = run_batches(requests, case.ledger, case.settings(**settings), poll_seconds=POLL)
    replies = case.ledger.replies(request.key for request in requests)
    assert len(replies) == len(requests)
    return found


def wait(case: Case) -> None:
    """Until all batches have ended at the endpoint."""
    until = time.monotonic() + 10
    while any(
        state.state == "submitted" and state.status not in batch_endpoint.ENDED
        for state in poll(case.ledger, case.settings())
    ):
        assert time.monotonic() < until
        time.sleep(0.02)


def leftovers(case: Case) -> list[str]:
    """Files beside the ledger that should not be there."""
    return [path.name for path in case.path.iterdir() if path.name.endswith("jsonl")]


# The way it should go


def test_submit_poll_and_collect(case: Case) -> None:
    requests = make_requests(7)
    said: list[str] = []
    sent = submit(requests, case.ledger, case.settings(), tell=said.append)
    assert (sent.batches, sent.sent, sent.before) == (1, 7, 0)
    assert sent.most_usd == pytest.approx(case.ledger.money().reserved, abs=1e-8)
    assert sent.most_usd and "7 requests" in said[0]
    again = submit(requests, case.ledger, case.settings())
    assert (again.batches, again.waiting) == (0, 7)
    wait(case)
    (state,) = poll(case.ledger, case.settings())
    assert (state.status, state.requests, state.completed) == ("completed", 7, 7)
    found = collect(case.ledger, case.settings())
    assert (found.ended, found.running, found.replies, found.errors) == (1, 0, 7, 0)
    assert found.usd == pytest.approx(case.ledger.money().spent) and found.usd > 0
    assert case.ledger.money().reserved == 0
    for reply in case.ledger.replies(request.key for request in requests).values():
        assert reply.via == "batch" and reply.http_status == 200 and reply.input_tokens > 0
        assert "answer" in read_reply(reply.api, 200, reply.raw).text
    assert collect(case.ledger, case.settings()).ended == 0
    assert submit(requests, case.ledger, case.settings()).before == 7
    assert leftovers(case) == []
    assert set(case.billed().values()) == {1}


def test_a_batch_costs_half(case: Case) -> None:
    (request,) = make_requests(1)
    run(case, [request])
    reply = case.ledger.replies([request.key])[request.key]
    online = (reply.input_tokens * 0.15 + reply.output_tokens * 0.6) / 1e6
    assert reply.usd == pytest.approx(online / 2, abs=1e-9)


@pytest.mark.parametrize(("api", "text"), [("chat", "json_schema"), ("chat-json", "json_object")])
def test_chat_completions(case: Case, api: str, text: str) -> None:
    run(case, make_requests(3), api=api)
    assert set(case.billed().values()) == {1}


def test_files_are_split_by_requests_bytes_and_model(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = make_requests(5) + make_requests(4, first=5, model="gpt-4o")
    size = len(batch_file.request_line(requests[0], "responses"))
    monkeypatch.setattr(batch_file, "MAX_BYTES", int(3.5 * size))
    sent = submit(requests, case.ledger, case.settings())
    assert (sent.batches, sent.sent) == (4, 9)
    rows = case.ledger.rows("SELECT model, requests, bytes FROM batches ORDER BY rowid")
    mini, full = "gpt-4o-mini", "gpt-4o"
    assert [row[:2] for row in rows] == [(mini, 3), (mini, 2), (full, 3), (full, 1)]
    assert all(row[2] <= 3.5 * size for row in rows)
    monkeypatch.setattr(batch_file, "MAX_REQUESTS", 2)
    assert submit(make_requests(3, first=20), case.ledger, case.settings()).batches == 2
    assert run(case, requests).elsewhere == 0


def test_an_image_is_read_when_its_line_is_written(case: Case) -> None:
    in_memory: list[int] = []

    def read(number: int) -> bytes:
        in_memory.append(number)
        return picture(number)

    requests = make_requests(4)
    for number, request in enumerate(requests):
        object.__setattr__(request, "image", Image(f"{number:064x}", lambda n=number: read(n)))
    run(case, requests)
    assert in_memory == [0, 1, 2, 3]


def test_run_resumes_what_was_submitted_by_hand(case: Case) -> None:
    requests = make_requests(6)
    submit(requests[:4], case.ledger, case.settings())
    heard: list[int] = []
    found = run_batches(
        requests, case.ledger, case.settings(), on_reply=heard.append, poll_seconds=POLL
    )
    assert (found.answered, found.before, sum(heard)) == (6, 0, 6)
    assert set(case.billed().values()) == {1}


# Creating: the one call that must not be repeated


@pytest.mark.parametrize("fault", ["create_500", "create_drop"])
@pytest.mark.parametrize("lag", [0.0, 0.2])
def test_an_error_after_the_batch_was_created_makes_no_second_one(
    case: Case, fault: str, lag: float
) -> None:
    requests = make_requests(5)
    faults(case, {"fault": fault, "ordinals": [0]}, list_lag=lag)
    run(case, requests)
    assert case.server.stats()["batches_created"] == 1
    assert set(case.billed().values()) == {1}


def test_an_error_before_the_batch_was_created_is_made_good_after_the_grace(case: Case) -> None:
    faults(case, {"fault": "status", "status": 500, "on": "batches", "ordinals": [0]})
    began = time.monotonic()
    submit(make_requests(3), case.ledger, case.settings())
    assert time.monotonic() - began >= batch_create.GRACE_SECONDS
    stats = case.server.stats()
    assert (stats["batches_created"], stats["statuses"]["batches"]["500"]) == (1, 1)


def test_too_many_requests_is_no_reason_to_wait_for_the_list(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_create, "GRACE_SECONDS", 60.0)
    faults(case, {"fault": "rate_limit", "on": "batches", "ordinals": [0, 1]})
    submit(make_requests(3), case.ledger, case.settings())
    assert case.server.stats()["batches_created"] == 1


def test_a_page_that_is_no_reply_is_looked_into(case: Case) -> None:
    faults(case, {"fault": "broken_json", "on": "batches", "ordinals": [0]})
    run(case, make_requests(3))
    assert case.server.stats()["batches_created"] == 1


def test_of_two_copies_one_is_cancelled(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list lags longer than the grace: the second copy is seen later, and cancelled."""
    monkeypatch.setattr(batch_create, "GRACE_SECONDS", 0.1)
    requests = make_requests(5)
    rule = {"fault": "create_500", "ordinals": [0]}
    faults(case, rule, list_lag=0.5, batch_seconds=1.5)
    submit(requests, case.ledger, case.settings())
    assert case.server.stats()["batches_created"] == 2
    time.sleep(0.5)
    faults(case, batch_seconds=1.5)
    run(case, requests)
    client = OpenAI(base_url=case.server.url, api_key=KEY)
    tag = case.ledger.rows("SELECT tag FROM batches")[0][0]
    copies = [b for b in client.batches.list() if (b.metadata or {}).get("mgld") == tag]
    assert sorted(batch.status for batch in copies) == ["cancelled", "completed"]
    assert set(case.billed().values()) == {1}


def test_a_batch_that_was_refused_gives_its_requests_back(case: Case) -> None:
    requests = make_requests(3)
    faults(case, {"fault": "quota", "on": "batches"})
    with pytest.raises(EndpointError, match="quota") as caught:
        submit(requests, case.ledger, case.settings())
    assert KEY not in str(caught.value)
    assert case.ledger.money().reserved == 0
    faults(case)
    assert submit(requests, case.ledger, case.settings()).sent == 3


def test_an_endpoint_without_batches_says_so(case: Case) -> None:
    faults(case, unsupported=["files", "batches"])
    with pytest.raises(EndpointError, match="without --batch"):
        submit(make_requests(3), case.ledger, case.settings())
    assert case.states() == ["ended"] and not case.ledger.open_batched()


def test_nobody_is_there(case: Case) -> None:
    settings = LlmSettings(base_url="http://127.0.0.1:9/v1", batch=True)
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1:9"):
        run_batches(make_requests(2), case.ledger, settings, poll_seconds=POLL)


@pytest.mark.parametrize("step", ["intended", "creating"])
def test_what_a_dead_submit_left_is_put_right(
    case: Case, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    requests = make_requests(4)
    call = {"intended": "upload", "creating": "create"}[step]

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(batch_endpoint.BatchEndpoint, call, die)
        with pytest.raises(KeyboardInterrupt):
            submit(requests, case.ledger, case.settings())
    assert case.states() == [step]
    assert len(case.ledger.open_batched()) == 4
    found = collect(case.ledger, case.settings())
    assert bool(found.notes) == (step == "creating")
    run(case, requests)
    assert case.server.stats()["batches_created"] == 1
    assert set(case.billed().values()) == {1}
    assert case.ledger.money().reserved == 0


def test_one_at_a_time(case: Case) -> None:
    with (
        batch_book.only_one(case.ledger),
        pytest.raises(ValueError, match="another process submits or collects"),
    ):
        submit(make_requests(1), case.ledger, case.settings())
    poll(case.ledger, case.settings())


# Claims and money


def test_requests_that_are_in_flight_online_stay_out(case: Case) -> None:
    requests = make_requests(5)
    with Ledger(case.ledger.path) as online:
        online.apply([Claim(requests[1])])
        sent = submit(requests, case.ledger, case.settings())
        assert (sent.sent, sent.waiting) == (4, 1)
    wait(case)
    assert set(case.billed()) == {r.key for n, r in enumerate(requests) if n != 1}
    run(case, requests)
    assert set(case.billed().values()) == {1}


def test_the_budget_is_never_passed(case: Case) -> None:
    requests = make_requests(8)
    one = submit(make_requests(1, first=99), case.ledger, case.settings()).most_usd
    assert one
    limit = 4.5 * one
    sent = submit(requests, case.ledger, case.settings(max_usd=limit))
    assert (sent.sent, sent.over_budget) == (3, 5)
    assert case.ledger.money().charged <= limit
    # Settled replies cost less than was reserved for them: room for the others.
    run(case, requests, max_usd=limit)
    assert case.ledger.money().charged <= limit
    assert case.ledger.money().reserved == 0
    limit = case.ledger.money().charged + 2.5 * one
    with pytest.raises(BudgetError, match="higher --max-usd"):
        run(case, make_requests(60, first=200), max_usd=limit)
    assert 1.5 * one < case.ledger.money().charged <= limit
    with pytest.raises(ValueError, match="no price is known"):
        submit(make_requests(1, model="mine"), case.ledger, case.settings(max_usd=1.0))
    assert submit(make_requests(1, model="mine"), case.ledger, case.settings()).most_usd is None


def test_images_that_cannot_be_read_are_error_replies(case: Case) -> None:
    def missing() -> bytes:
        raise OSError("no such archive")

    requests = [
        *make_requests(2),
        *make_requests(1, first=2, image=Image("a" * 64, lambda: b"not an image")),
        *make_requests(1, first=3, image=Image("b" * 64, missing)),
    ]
    found = run(case, requests)
    assert (found.answered, found.errors) == (4, 2)
    reply = case.ledger.replies([requests[3].key])[requests[3].key]
    assert reply.http_status == 0 and b"no such archive" in reply.raw
    assert case.ledger.lost() == 0


# Results


@pytest.mark.parametrize("fault", ["expired", "cancelled"])
def test_what_a_batch_did_not_come_to_is_sent_again(case: Case, fault: str) -> None:
    requests = make_requests(10)
    faults(case, {"fault": fault, "done": 0.4, "ordinals": [0]})
    found = run(case, requests)
    assert (found.answered, found.retries, found.errors) == (10, 6, 0)
    assert set(case.billed().values()) == {1}
    assert case.server.stats()["batches_created"] == 2


def test_missing_lines_and_server_errors_are_sent_again(case: Case) -> None:
    requests = make_requests(12)
    faults(
        case,
        {"fault": "line_missing", "match": "Tower 3", "tries": 1},
        {"fault": "line_error", "status": 500, "match": "Tower 4", "tries": 2},
        {"fault": "line_error", "status": 429, "match": "Tower 5", "tries": 1},
        {"fault": "line_error", "status": 400, "match": "Tower 6"},
    )
    found = run(case, requests)
    assert (found.answered, found.retries, found.errors) == (12, 4, 1)
    assert set(case.billed().values()) == {1} and len(case.billed()) == 11
    reply = case.ledger.replies([requests[6].key])[requests[6].key]
    assert reply.http_status == 400
    assert "Invalid image" in read_reply(reply.api, 400, reply.raw).reason
    assert case.ledger.lost() == 0


def test_a_request_that_never_gets_through_becomes_an_error_reply(case: Case) -> None:
    requests = make_requests(2)
    faults(case, {"fault": "line_error", "status": 503, "match": "Tower 1"})
    found = run(case, requests)
    assert (found.errors, case.server.stats()["batches_created"]) == (1, 5)
    reply = case.ledger.replies([requests[1].key])[requests[1].key]
    assert reply.http_status == 0 and b"given up after 5 batches" in reply.raw
    case.ledger.forget([requests[1].key])
    faults(case)
    assert run(case, requests).errors == 0


def edit(monkeypatch: pytest.MonkeyPatch, change: Any) -> list[str]:
    """Have every downloaded file changed; the ids of the files."""
    real = batch_endpoint.BatchEndpoint.download
    fetched: list[str] = []

    def download(self: Any, file_id: str, path: Path) -> bool:
        found = real(self, file_id, path)
        fetched.append(file_id)
        path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
        return found

    monkeypatch.setattr(batch_endpoint.BatchEndpoint, "download", download)
    return fetched


def test_odd_lines_are_counted_and_harm_nothing(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = make_requests(6)
    submit(requests, case.ledger, case.settings())
    wait(case)
    odd = [
        b"\n",
        b"not json\n",
        b'{"custom_id": 7}\n',
        b'["a list"]\n',
        b"\xff\xfe\n",
        b'{"custom_id": "somebody else\'s", "response": {"status_code": 200, "body": {}}}\n',
    ]

    def change(lines: list[bytes]) -> list[bytes]:
        failed = json.loads(lines[2])
        failed["response"] = {"status_code": 500, "body": {"error": {"message": "try later"}}}
        # A failed line of a request before its good one, a repeated one, and the last cut off.
        first = json.dumps(failed).encode() + b"\n"
        return [first, *odd, *lines[:5], lines[1], lines[5][:-30]]

    fetched = edit(monkeypatch, change)
    found = collect(case.ledger, case.settings())
    assert len(fetched) == 2  # once more, since a line was broken
    assert (found.replies, found.released, found.missing) == (5, 1, 1)
    assert (found.unknown, found.duplicate, found.broken) == (1, 2, 5)
    assert found.errors == 0
    assert leftovers(case) == []


def test_a_file_that_is_broken_once_costs_nothing(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = make_requests(6)
    times: list[int] = []

    def change(lines: list[bytes]) -> list[bytes]:
        times.append(1)
        return lines[:3] if len(times) == 1 else lines

    edit(monkeypatch, change)
    found = run(case, requests)
    assert (found.answered, found.retries) == (6, 0)
    assert set(case.billed().values()) == {1}


def test_collect_stopped_in_the_middle_goes_on(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = make_requests(9)
    submit(requests, case.ledger, case.settings())
    wait(case)
    monkeypatch.setattr(batch_book, "CHANGES_PER_COMMIT", 2)
    monkeypatch.setattr("mgld.llm.batch_join.CHANGES_PER_COMMIT", 2)
    real, calls = Ledger.apply, [0]

    def apply(self: Ledger, changes: Any) -> Any:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return real(self, changes)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "apply", apply)
        with pytest.raises(KeyboardInterrupt):
            collect(case.ledger, case.settings())
    assert len(case.ledger.answered()) == 4
    found = collect(case.ledger, case.settings())
    assert (found.replies, found.duplicate, found.missing) == (5, 0, 0)
    assert case.ledger.rows("SELECT count(*) FROM replies") == [(9,)]
    assert case.ledger.money().reserved == 0


def test_a_batch_that_fails_validation_says_why_and_gives_back(case: Case) -> None:
    requests = make_requests(3)
    faults(case, {"fault": "failed_validation"})
    with pytest.raises(EndpointError, match="not parseable as valid JSON"):
        run(case, requests)
    assert not case.ledger.open_batched() and case.ledger.money().reserved == 0
    faults(case)
    assert run(case, requests).errors == 0


def refuse(status: int, code: str, number: int) -> Any:
    """Have the first `number` result lines be errors of one kind."""

    def change(lines: list[bytes]) -> list[bytes]:
        for place, line in enumerate(lines[:number]):
            row = json.loads(line)
            body = {"error": {"message": f"cannot do, says {KEY}", "code": code}}
            row["response"] = {"status_code": status, "body": body}
            lines[place] = json.dumps(row).encode() + b"\n"
        return lines

    return change


@pytest.mark.parametrize(
    ("status", "code", "number"),
    [(429, "insufficient_quota", 3), (404, "model_not_found", 3), (400, "unsupported_value", 20)],
)
def test_what_nobody_would_be_answered_stops_the_run_and_is_no_reply(
    case: Case, status: int, code: str, number: int
) -> None:
    requests = make_requests(20, image=None)
    with pytest.MonkeyPatch.context() as patch:
        edit(patch, refuse(status, code, number))
        with pytest.raises(EndpointError, match="cannot do") as caught:
            run(case, requests)
    assert KEY not in str(caught.value)
    assert len(case.ledger.answered()) == 20 - number
    assert not case.ledger.open_batched()
    assert run(case, requests).errors == 0


def test_refused_requests_among_answered_ones_are_error_replies(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = make_requests(40, image=None)
    edit(monkeypatch, refuse(400, "invalid_image", 39))
    assert run(case, requests).errors == 39


def test_a_full_queue_is_waited_for_and_halved(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_file, "MAX_REQUESTS", 4)
    requests = make_requests(16, image=None)
    faults(case, enqueued_token_limit=600, batch_seconds=0.1)  # about six of them
    found = run(case, requests)
    assert found.errors == 0
    assert set(case.billed().values()) == {1}
    refused = case.ledger.rows("SELECT queued FROM batches WHERE queued > 0")
    assert refused and case.server.stats()["batches_created"] >= 5


def test_results_that_are_gone_count_as_perhaps_paid(case: Case) -> None:
    requests = make_requests(3)
    submit(requests, case.ledger, case.settings())
    wait(case)
    client = OpenAI(base_url=case.server.url, api_key=KEY)
    batch = client.batches.retrieve(case.ledger.rows("SELECT batch_id FROM batches")[0][0])
    assert batch.output_file_id
    client.files.delete(batch.output_file_id)
    found = collect(case.ledger, case.settings())
    assert (found.released, case.ledger.lost()) == (3, 3)
    assert "no more" in found.notes[0]
    assert run(case, requests).errors == 0


def test_a_batch_nobody_knows_is_given_up_after_two_days(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = make_requests(3)
    submit(requests, case.ledger, case.settings())
    with case.ledger.transaction() as db:
        db.execute("UPDATE batches SET batch_id = 'batch_of_another_project'")
    assert "another project" in collect(case.ledger, case.settings()).notes[0]
    assert len(case.ledger.open_batched()) == 3
    monkeypatch.setattr(batch_collect, "GONE_SECONDS", 0.0)
    assert collect(case.ledger, case.settings()).released == 3
    assert case.ledger.lost() == 3


def test_errors_of_the_moment_while_polling_and_downloading(case: Case) -> None:
    requests = make_requests(6)
    faults(
        case,
        {"fault": "status", "status": 500, "on": "files", "ordinals": [0]},
        {"fault": "drop", "on": "files", "ordinals": [1]},
        {"fault": "status", "status": 502, "on": "batch", "ordinals": [0, 1, 3]},
        {"fault": "rate_limit", "on": "batch", "ordinals": [2]},
        {"fault": "cut", "on": "file_content", "ordinals": [0]},
        {"fault": "status", "status": 503, "on": "file_content", "ordinals": [1]},
        {"fault": "broken_json", "on": "file_content", "ordinals": [2]},
    )
    found = run(case, requests)
    assert (found.answered, found.retries) == (6, 0)
    assert set(case.billed().values()) == {1}
    assert case.server.stats()["batches_created"] == 1


def test_an_outage_while_waiting_is_waited_out(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_endpoint, "TRIES", 2)
    faults(
        case,
        {"fault": "status", "status": 500, "on": "batch", "ordinals": list(range(1, 9))},
        batch_seconds=0.3,
    )
    said: list[str] = []
    requests = make_requests(3)
    run_batches(requests, case.ledger, case.settings(), poll_seconds=POLL, tell=said.append)
    assert len(case.ledger.answered()) == 3
    assert any("trying again" in line for line in said)


def test_the_deadline_leaves_the_batch_running(case: Case) -> None:
    requests = make_requests(3)
    faults(case, batch_seconds=30.0)
    began = time.monotonic()
    with pytest.raises(DeadlineError):
        run(case, requests, total_seconds=0.3)
    assert time.monotonic() - began < 5
    assert case.states() == ["submitted"]
    faults(case)
    run(case, requests)
    assert set(case.billed().values()) == {1}


def test_a_batch_at_another_endpoint_is_named(case: Case) -> None:
    requests = make_requests(2)
    submit(requests, case.ledger, case.settings())
    with case.ledger.transaction() as db:
        db.execute("UPDATE batches SET base_url = 'http://127.0.0.1:1/v1'")
    with pytest.raises(ValueError, match="collect it with that --base-url"):
        run(case, requests)
    assert "another endpoint" in collect(case.ledger, case.settings()).notes[0]


def test_no_key_reaches_the_ledger(case: Case) -> None:
    faults(case, {"fault": "bad_key", "on": "batches"})
    with pytest.raises(EndpointError) as caught:
        submit(make_requests(1), case.ledger, case.settings())
    assert KEY[:8] not in str(caught.value)
    case.ledger.close()
    for path in case.path.iterdir():
        if path.is_file():
            assert KEY[:8].encode() not in path.read_bytes()
