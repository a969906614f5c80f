"""Files and batches of the loopback endpoint, driven by the real client."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types import Batch
from openai_plays import content_hash
from openai_server import LoopbackServer, start_server

KEY = "sk-test-abcdefghijklmnop-1234"


@pytest.fixture(scope="module")
def running() -> Iterator[LoopbackServer]:
    with start_server() as server:
        yield server


@pytest.fixture
def server(running: LoopbackServer) -> LoopbackServer:
    running.set_faults({})
    running.reset()
    return running


@pytest.fixture
def client(server: LoopbackServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key=KEY, max_retries=0, timeout=10) as made:
        yield made


def body(n: int) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "input": f"Landmark: Tower {n}"}


def line(n: int, **more: Any) -> dict[str, Any]:
    row = {"custom_id": f"key-{n}", "method": "POST", "url": "/v1/responses", "body": body(n)}
    return {**row, **more}


def upload(client: OpenAI, lines: list[dict[str, Any]]) -> str:
    content = "".join(json.dumps(each) + "\n" for each in lines).encode()
    return client.files.create(file=("in.jsonl", content), purpose="batch").id


def submit(client: OpenAI, lines: list[dict[str, Any]], **more: Any) -> Batch:
    return client.batches.create(
        input_file_id=upload(client, lines),
        endpoint="/v1/responses",
        completion_window="24h",
        **more,
    )


def wait(client: OpenAI, batch: Batch) -> Batch:
    until = time.monotonic() + 10
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        assert time.monotonic() < until, batch.status
        time.sleep(0.01)
        batch = client.batches.retrieve(batch.id)
    return batch


def rows(client: OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    if file_id is None:
        return []
    return [json.loads(each) for each in client.files.content(file_id).text.splitlines()]


def ids(found: list[dict[str, Any]]) -> set[str]:
    return {row["custom_id"] for row in found}


def test_files_come_back_and_can_be_deleted(client: OpenAI) -> None:
    content = b'{"a": 1}\r\n--not a boundary\n' + bytes(range(256))
    file = client.files.create(file=("odd.jsonl", content), purpose="batch")
    assert (file.bytes, file.filename, file.purpose) == (len(content), "odd.jsonl", "batch")
    assert client.files.retrieve(file.id).id == file.id
    assert client.files.content(file.id).read() == content
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def test_the_async_client_uploads_too(server: LoopbackServer) -> None:
    async def run() -> bytes:
        async with AsyncOpenAI(base_url=server.url, api_key=KEY) as client:
            file = await client.files.create(file=("in.jsonl", b"x" * 300_000), purpose="batch")
            return (await client.files.content(file.id)).content

    assert asyncio.run(run()) == b"x" * 300_000


def test_a_batch_gives_what_online_gives_in_another_order(
    server: LoopbackServer, client: OpenAI
) -> None:
    batch = wait(client, submit(client, [line(n) for n in range(30)], metadata={"key": "v"}))
    assert batch.status == "completed" and batch.metadata == {"key": "v"}
    assert batch.request_counts is not None
    assert batch.request_counts.completed == batch.request_counts.total == 30
    found = rows(client, batch.output_file_id)
    assert batch.error_file_id is None
    assert ids(found) == {f"key-{n}" for n in range(30)}
    assert [row["custom_id"] for row in found] != [f"key-{n}" for n in range(30)]
    by_id = {row["custom_id"]: row["response"] for row in found}
    assert by_id["key-3"]["status_code"] == 200
    assert by_id["key-3"]["body"] == client.responses.create(**body(3)).to_dict()
    stats = server.stats()
    assert stats["batched"][content_hash("responses", body(3))] == 1
    assert stats["custom_ids"]["key-3"] == 1 and stats["billed_batched"] == 30


def test_chat_batches(client: OpenAI) -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "Landmark: Big Ben"}]}
    file = upload(client, [line(0, url="/v1/chat/completions", body=asked)])
    batch = client.batches.create(
        input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h"
    )
    (row,) = rows(client, wait(client, batch).output_file_id)
    assert "Big Ben" in row["response"]["body"]["choices"][0]["message"]["content"]


def test_a_batch_completes_after_polls_and_seconds(server: LoopbackServer, client: OpenAI) -> None:
    server.set_faults({"batch_polls": 3})
    batch = submit(client, [line(0)])
    assert batch.status == "validating"
    time.sleep(0.05)
    for _ in range(3):
        assert server.stats()["billed_batched"] == 0
        assert client.batches.retrieve(batch.id).status == "in_progress"
    assert wait(client, batch).status == "completed"
    server.set_faults({"batch_polls": 0, "batch_seconds": 0.3})
    batch = submit(client, [line(0)])
    time.sleep(0.1)
    assert client.batches.retrieve(batch.id).status == "in_progress"
    time.sleep(0.3)
    assert client.batches.retrieve(batch.id).status == "completed"


def test_the_list_has_pages_and_lags(server: LoopbackServer, client: OpenAI) -> None:
    made = [submit(client, [line(n)]).id for n in range(5)]
    listed = [batch.id for batch in client.batches.list(limit=2)]
    assert listed[:5] == made[::-1]
    server.set_faults({"list_lag": 0.3})
    fresh = submit(client, [line(9)]).id
    assert fresh not in [batch.id for batch in client.batches.list()]
    time.sleep(0.35)
    assert fresh == next(iter(client.batches.list())).id

    async def run() -> list[str]:
        async with AsyncOpenAI(base_url=server.url, api_key=KEY) as asynchronous:
            return [batch.id async for batch in asynchronous.batches.list(limit=1)]

    assert asyncio.run(run())[1:6] == made[::-1]


@pytest.mark.parametrize(
    ("fault", "error"),
    [("create_500", openai.InternalServerError), ("create_drop", openai.APIConnectionError)],
)
def test_a_batch_exists_although_its_creation_failed(
    server: LoopbackServer, client: OpenAI, fault: str, error: type[Exception]
) -> None:
    server.set_faults({"rules": [{"fault": fault, "ordinals": [0]}]})
    with pytest.raises(error):
        submit(client, [line(0)], metadata={"intent": fault})
    first = next(iter(client.batches.list()))
    assert first.metadata == {"intent": fault}
    assert wait(client, first).status == "completed"
    submit(client, [line(0)])
    assert server.stats()["batches_created"] == 2


def test_a_failed_upload_and_a_creation_that_made_nothing(
    server: LoopbackServer, client: OpenAI
) -> None:
    for route in ("files", "batches", "batch_list", "file_content"):
        fault = {"fault": "status", "status": 500, "on": route}
        server.set_faults({"rules": [fault]})
        with pytest.raises(openai.InternalServerError):
            file = submit(client, [line(0)]).input_file_id
            list(client.batches.list())
            client.files.content(file)
    assert server.stats()["batches_created"] == 2
    cut = {"fault": "cut", "on": "file_content"}
    server.set_faults({"rules": [cut]})
    batch = wait(client, submit(client, [line(n) for n in range(20)]))
    with pytest.raises(Exception, match=r"(?i)connection|peer|payload|incomplete"):
        rows(client, batch.output_file_id)


def test_lines_that_fail_are_in_the_error_file_and_unbilled(
    server: LoopbackServer, client: OpenAI
) -> None:
    server.set_faults(
        {
            "rules": [
                {"fault": "line_error", "status": 400, "match": "Tower 1"},
                {"fault": "line_error", "status": 500, "match": "Tower 2", "tries": 1},
                {"fault": "line_missing", "match": "Tower 3", "tries": 1},
                {"fault": "refusal", "match": "Tower 4"},
            ]
        }
    )
    batch = wait(client, submit(client, [line(n) for n in range(6)]))
    assert batch.status == "completed"
    errors = {row["custom_id"]: row for row in rows(client, batch.error_file_id)}
    assert errors.keys() == {"key-1", "key-2"}
    assert errors["key-1"]["response"]["status_code"] == 400
    assert errors["key-1"]["response"]["body"]["error"]["code"] == "invalid_image"
    assert errors["key-2"]["response"]["status_code"] == 500
    output = {row["custom_id"]: row for row in rows(client, batch.output_file_id)}
    assert output.keys() == {"key-0", "key-4", "key-5"}
    part = output["key-4"]["response"]["body"]["output"][0]["content"][0]
    assert part["type"] == "refusal"
    assert server.stats()["custom_ids"].keys() == {"key-0", "key-4", "key-5"}
    again = wait(client, submit(client, [line(n) for n in (1, 2, 3)]))
    assert ids(rows(client, again.output_file_id)) == {"key-2", "key-3"}
    assert ids(rows(client, again.error_file_id)) == {"key-1"}


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_a_batch_that_ends_early_is_partly_done(
    server: LoopbackServer, client: OpenAI, status: str
) -> None:
    server.set_faults({"rules": [{"fault": status, "done": 0.4, "ordinals": [0]}]})
    batch = wait(client, submit(client, [line(n) for n in range(10)]))
    assert batch.status == status
    done, missed = rows(client, batch.output_file_id), rows(client, batch.error_file_id)
    assert (len(done), len(missed)) == (4, 6)
    assert ids(done) | ids(missed) == {f"key-{n}" for n in range(10)}
    assert {row["error"]["code"] for row in missed} == {f"batch_{status}"}
    assert all(row["response"] is None for row in missed)
    assert server.stats()["billed_batched"] == 4


def test_a_batch_can_be_cancelled(server: LoopbackServer, client: OpenAI) -> None:
    server.set_faults({"batch_polls": 1000})
    batch = submit(client, [line(0)])
    assert client.batches.cancel(batch.id).status == "cancelling"
    batch = wait(client, batch)
    assert batch.status == "cancelled" and batch.cancelled_at and batch.output_file_id is None
    assert server.stats()["billed_batched"] == 0


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([line(0), line(0)], "duplicate_custom_id"),
        ([line(0, url="/v1/chat/completions")], "invalid_url"),
        ([line(0, body="text")], "invalid_json_line"),
        ([line(0), line(1, body={"model": "m", "input": "x"})], "mismatched_model"),
        ([], "empty_file"),
        ([line(n) for n in range(4)], "max_requests_exceeded"),
    ],
)
def test_a_bad_file_fails_validation(
    server: LoopbackServer, client: OpenAI, lines: list[dict[str, Any]], code: str
) -> None:
    server.set_faults({"max_batch_requests": 3})
    batch = wait(client, submit(client, lines))
    assert batch.status == "failed" and batch.errors is not None and batch.errors.data
    assert batch.errors.data[0].code == code
    assert batch.output_file_id is None and server.stats()["billed_batched"] == 0


def test_validation_fails_on_demand(server: LoopbackServer, client: OpenAI) -> None:
    server.set_faults({"rules": [{"fault": "failed_validation", "ordinals": [0]}]})
    assert wait(client, submit(client, [line(0)])).status == "failed"
    assert wait(client, submit(client, [line(0)])).status == "completed"


def test_unfinished_batches_count_against_the_enqueued_limit() -> None:
    settings = {"enqueued_token_limit": 100, "batch_polls": 5}
    with (
        start_server(settings) as server,
        OpenAI(base_url=server.url, api_key=KEY, max_retries=0) as client,
    ):
        first = submit(client, [line(n) for n in range(5)])
        second = wait(client, submit(client, [line(n) for n in range(5, 10)]))
        assert second.errors is not None and second.errors.data
        assert second.errors.data[0].code == "token_limit_exceeded"
        assert wait(client, first).status == "completed"
        assert wait(client, submit(client, [line(n) for n in range(5, 10)])).status == "completed"


def test_a_line_the_endpoint_would_refuse_is_an_error_line(client: OpenAI) -> None:
    empty = line(1, body={"model": "gpt-4o-mini", "input": []})
    part = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    no_image = line(2, body={"model": "m", "input": [{"role": "user", "content": [part]}]})
    batch = wait(client, submit(client, [line(0), empty, no_image]))
    found = rows(client, batch.error_file_id)
    assert ids(found) == {"key-1", "key-2"}
    assert {row["response"]["status_code"] for row in found} == {400}


def test_too_large_a_file_is_refused(server: LoopbackServer, client: OpenAI) -> None:
    server.set_faults({"max_file_bytes": 100})
    with pytest.raises(openai.APIStatusError) as raised:
        upload(client, [line(0), line(1)])
    assert raised.value.status_code == 413


@pytest.mark.parametrize(
    ("rule", "again_the_same"),
    [
        ({"fault": "refusal"}, True),
        ({"fault": "line_error", "status": 400}, True),
        ({"fault": "line_error", "status": 500}, False),
    ],
)
def test_what_lies_in_the_content_stays_and_what_does_not_passes(
    server: LoopbackServer, client: OpenAI, rule: dict[str, Any], again_the_same: bool
) -> None:
    server.set_faults({"rules": [{**rule, "share": 0.5}]})

    def hit() -> set[str]:
        batch = wait(client, submit(client, [line(n) for n in range(30)]))
        refused = [r for r in rows(client, batch.output_file_id) if '"refusal"' in json.dumps(r)]
        return ids(rows(client, batch.error_file_id)) | ids(refused)

    first = hit()
    assert 5 < len(first) < 25
    assert (hit() == first) == again_the_same
