"""The loopback endpoint, driven by the real client: what the other tests rely on must hold."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import time
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai_instances import name_in
from openai_plays import content_hash
from openai_server import LoopbackServer, start_server
from pydantic import BaseModel, ConfigDict, ValidationError

KEY = "sk-test-abcdefghijklmnop-1234"


class Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")

    answer: str
    entities: list[str]
    hierarchical_label: Literal["church", "castle", "bridge"]
    place: str | None


SCHEMA = {**Reply.model_json_schema(), "additionalProperties": False}


@pytest.fixture(scope="module")
def running() -> Iterator[LoopbackServer]:
    with start_server() as server:
        yield server


@pytest.fixture
def server(running: LoopbackServer) -> LoopbackServer:
    running.set_faults({})
    while running.stats(whole=False)["in_flight"]:  # of a test that did not wait for its replies
        time.sleep(0.01)
    running.reset()
    return running


@pytest.fixture
def client(server: LoopbackServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key=KEY, max_retries=0, timeout=10) as made:
        yield made


def image(content: bytes = b"stones") -> str:
    return "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8\xff\xe0" + content).decode()


def turn(name: str = "Eiffel Tower", content: bytes = b"stones") -> list[Any]:
    return [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": f"Landmark: {name}"},
                {"type": "input_image", "image_url": image(content), "detail": "high"},
            ],
        }
    ]


def body(name: str = "Eiffel Tower", **more: Any) -> dict[str, Any]:
    form = {"type": "json_schema", "name": "reply", "schema": SCHEMA, "strict": True}
    return {"model": "gpt-4o-mini", "input": turn(name), "text": {"format": form}, **more}


def chat(name: str = "Eiffel Tower", **more: Any) -> dict[str, Any]:
    return {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "You describe landmarks, in JSON."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": f"Landmark: {name}"},
                    {"type": "image_url", "image_url": {"url": image(), "detail": "low"}},
                ],
            },
        ],
        **more,
    }


def rule(server: LoopbackServer, fault: str, **more: Any) -> None:
    server.set_faults({"rules": [{"fault": fault, **more}]})


def test_responses_are_parsed_and_name_the_landmark(client: OpenAI) -> None:
    reply = client.responses.parse(
        model="gpt-4o-mini", instructions="Describe.", input=turn(), text_format=Reply
    )
    assert reply.output_parsed is not None
    assert "Eiffel Tower" in reply.output_parsed.answer
    assert 4 <= len(reply.output_parsed.entities) <= 7
    assert reply.model.startswith("gpt-4o-mini-2")
    assert reply.usage is not None and reply.usage.input_tokens > 765
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (
            'Name of the landmark: "Saint \\"Old\\" Mill (Ohio)"\n\nQuestion: "What?"',
            'Saint "Old" Mill (Ohio)',
        ),
        ("Reference name: Big Ben.\nWhat is it?", "Big Ben"),
        ("The picture shows “Fram (ship, 1892)” at sea.", "Fram (ship, 1892)"),
        ("which place is the Tower of London here?", "Tower of London"),
        ("what is this?", "this landmark"),
    ],
)
def test_the_name_is_found_in_a_prompt(said: str, name: str) -> None:
    assert name_in(said) == name


def test_a_reasoning_model_thinks_first(client: OpenAI) -> None:
    reply = client.responses.create(**body() | {"model": "gpt-5-mini"})
    assert [item.type for item in reply.output] == ["reasoning", "message"]
    Reply.model_validate_json(reply.output_text)


def test_chat_with_a_schema_is_parsed(client: OpenAI) -> None:
    reply = client.chat.completions.parse(**chat(), response_format=Reply)
    assert reply.choices[0].message.parsed is not None
    assert reply.choices[0].finish_reason == "stop"


def test_json_mode_finds_the_schema_in_the_prompt(client: OpenAI) -> None:
    asked = chat(response_format={"type": "json_object"})
    asked["messages"][0]["content"] += f"\nAnswer with JSON of this schema: {json.dumps(SCHEMA)}"
    text = client.chat.completions.create(**asked).choices[0].message.content
    Reply.model_validate_json(text or "")


def test_json_mode_needs_the_word(client: OpenAI) -> None:
    asked = chat(response_format={"type": "json_object"})
    asked["messages"][0]["content"] = "Describe."
    with pytest.raises(openai.BadRequestError, match="word 'json'"):
        client.chat.completions.create(**asked)


def test_text_mode_wraps_json_in_prose(client: OpenAI) -> None:
    asked = chat()
    asked["messages"][0]["content"] += f"\n```json\n{json.dumps(SCHEMA, indent=1)}\n```"
    text = client.chat.completions.create(**asked).choices[0].message.content or ""
    assert not text.startswith("{")
    Reply.model_validate_json(text.partition("```json")[2].partition("```")[0])


def test_a_reply_follows_from_the_content_alone(client: OpenAI) -> None:
    first = client.responses.create(**body())
    again = client.responses.create(**body(), metadata={"run": "2"}, store=False)
    assert again.to_dict() == first.to_dict()
    # However it is spelt: other order of keys, other blanks.
    turned = {key: body()[key] for key in reversed(body())}
    assert content_hash("responses", turned) == content_hash("responses", body())
    for at in (0, 100_000):
        one, other = bytearray(150_000), bytearray(150_000)
        other[at] = 1
        texts = [
            client.responses.create(**body() | {"input": turn(content=bytes(each))}).output_text
            for each in (one, other)
        ]
        assert texts[0] != texts[1]


def test_known_schemas_are_told_apart(server: LoopbackServer, client: OpenAI) -> None:
    forms = []
    for field in ("answer", "caption"):
        schema = {
            "type": "object",
            "properties": {field: {"type": "string"}},
            "required": [field],
            "additionalProperties": False,
        }
        forms.append({"type": "json_schema", "name": "x", "schema": schema, "strict": True})
    for _ in range(2):
        for form, field in zip(forms, ("answer", "caption"), strict=True):
            asked = body() | {"text": {"format": form}}
            reply = client.responses.create(**asked)
            assert json.loads(reply.output_text).keys() == {field}
            assert reply.to_dict()["text"]["format"]["schema"] == form["schema"]
            assert content_hash("responses", asked) in server.stats()["online"]


def test_chunked_bodies_are_read(server: LoopbackServer) -> None:
    raw = json.dumps(body()).encode()
    pieces = [raw[start : start + 100] for start in range(0, len(raw), 100)]
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    for _ in range(2):
        headers = {"transfer-encoding": "chunked"}
        connection.request("POST", "/v1/responses", iter(pieces), headers, encode_chunked=True)
        assert connection.getresponse().read()
    connection.close()
    assert server.stats()["online"] == {content_hash("responses", body()): 2}


def test_entities_have_now_and_then_the_known_failures(client: OpenAI) -> None:
    replies = [client.responses.create(**body(f"Tower {n}")).output_text for n in range(60)]
    lists = [Reply.model_validate_json(text).entities for text in replies]
    restated = sum(any("Tower" in each for each in entities) for entities in lists)
    generic = sum(
        bool({"building", "historic landmark", "photo"} & set(entities)) for entities in lists
    )
    repeated = sum(len({each.lower() for each in e}) < len(e) for e in lists)
    assert 0 < restated < 30 and 0 < generic < 30 and 0 < repeated < 30


def test_a_loose_strict_schema_is_refused(client: OpenAI) -> None:
    loose = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    form = {"type": "json_schema", "name": "x", "schema": loose, "strict": True}
    with pytest.raises(openai.BadRequestError, match="additionalProperties"):
        client.responses.create(**body() | {"text": {"format": form}})  # type: ignore[call-overload]


def test_what_is_no_image_is_refused(client: OpenAI) -> None:
    asked = turn()
    asked[0]["content"][1]["image_url"] = "data:image/jpeg;base64,AAAA"
    with pytest.raises(openai.BadRequestError, match="unsupported image"):
        client.responses.create(**body() | {"input": asked})


def test_the_output_limit_truncates(client: OpenAI) -> None:
    reply = client.responses.create(**body(max_output_tokens=16))
    assert reply.status == "incomplete" and reply.incomplete_details is not None
    assert reply.incomplete_details.reason == "max_output_tokens"
    assert reply.usage is not None and reply.usage.output_tokens == 16


@pytest.mark.parametrize(
    ("unsupported", "status", "named"),
    [
        ("responses", 404, "404"),
        ("json_schema", 400, "text.format"),
        ("max_output_tokens", 400, "max_output_tokens"),
        ("images", 400, "image"),
    ],
)
def test_what_an_endpoint_does_not_know(
    server: LoopbackServer, client: OpenAI, unsupported: str, status: int, named: str
) -> None:
    server.set_faults({"unsupported": [unsupported]})
    with pytest.raises(openai.APIStatusError, match=named) as raised:
        client.responses.create(**body(max_output_tokens=500))
    assert raised.value.status_code == status
    if unsupported == "json_schema":
        with pytest.raises(openai.BadRequestError, match="response_format"):
            client.chat.completions.parse(**chat(), response_format=Reply)


def test_models_have_shutdown_dates(server: LoopbackServer, client: OpenAI) -> None:
    server.set_faults({"models": {"gpt-old": "2026-01-31", "m": None}, "unknown_models": ["no"]})
    assert [model.id for model in client.models.list()] == ["gpt-old", "m"]
    assert client.models.retrieve("gpt-old").shutdown_date == "2026-01-31"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no")
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.responses.create(model="no", input="Hello")


@pytest.mark.parametrize(
    ("fault", "more", "error", "billed"),
    [
        ("rate_limit", {}, openai.RateLimitError, 0),
        ("quota", {}, openai.RateLimitError, 0),
        ("status", {"status": 500}, openai.InternalServerError, 0),
        ("status", {"status": 502}, openai.InternalServerError, 0),
        ("status", {"status": 503}, openai.InternalServerError, 0),
        ("bad_key", {}, openai.AuthenticationError, 0),
        ("azure_filter", {}, openai.BadRequestError, 0),
        ("drop", {}, openai.APIConnectionError, 0),
        ("drop", {"billed": True}, openai.APIConnectionError, 1),
        ("cut", {}, Exception, 1),
        ("broken_json", {}, Exception, 1),
    ],
)
@pytest.mark.parametrize("api", ["responses", "chat"])
def test_faults_of_http(
    server: LoopbackServer,
    client: OpenAI,
    api: str,
    fault: str,
    more: dict[str, Any],
    error: type[Exception],
    billed: int,
) -> None:
    rule(server, fault, ordinals=[0], **more)

    def ask() -> Any:
        if api == "responses":
            return client.responses.create(**body())
        return client.chat.completions.create(**chat())

    with pytest.raises(error):
        ask()
    assert server.stats()["billed_online"] == billed
    assert ask().model_dump()
    stats = server.stats()
    assert stats["billed_online"] == billed + 1
    assert stats["faults"] == {fault: 1}


@pytest.mark.parametrize(
    ("more", "header", "value"),
    [
        ({"retry_after": 2}, "retry-after", "2"),
        ({"retry_after_ms": 30}, "retry-after-ms", "30"),
        ({}, "retry-after", None),
    ],
)
def test_429_says_when_to_come_back(
    server: LoopbackServer, client: OpenAI, more: dict[str, Any], header: str, value: str | None
) -> None:
    rule(server, "rate_limit", **more)
    with pytest.raises(openai.RateLimitError) as raised:
        client.responses.create(**body())
    assert raised.value.response.headers.get(header) == value
    assert raised.value.code == "rate_limit_exceeded"


def test_the_endpoint_limits_the_rate(server: LoopbackServer, client: OpenAI) -> None:
    server.set_faults({"requests_per_minute": 240})
    limited = 0
    for n in range(8):
        try:
            client.responses.create(**body(f"Tower {n}"))
        except openai.RateLimitError as error:
            limited += 1
            assert 0 < int(error.response.headers["retry-after-ms"]) <= 251
    assert 1 <= limited <= 5
    patient = client.with_options(max_retries=3)
    patient.responses.create(**body())


def test_an_odd_body_is_a_400(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="loopback server"):
        client.responses.create(model="m", input=[7])  # type: ignore[list-item]


def test_errors_carry_their_codes_and_an_echoed_key(server: LoopbackServer, client: OpenAI) -> None:
    rule(server, "quota")
    with pytest.raises(openai.RateLimitError) as quota:
        client.responses.create(**body())
    assert quota.value.code == "insufficient_quota"
    rule(server, "azure_filter")
    with pytest.raises(openai.BadRequestError) as filtered:
        client.chat.completions.create(**chat())
    assert filtered.value.code == "content_filter"
    server.set_faults({"api_key": "sk-another"})
    with pytest.raises(openai.AuthenticationError, match=KEY[:8]) as denied:
        client.responses.create(**body())
    assert KEY[-4:] in str(denied.value) and KEY not in str(denied.value)


@pytest.mark.parametrize("fault", ["slow", "delay"])
def test_slow_replies_are_whole(server: LoopbackServer, client: OpenAI, fault: str) -> None:
    rule(server, fault, seconds=0.3)
    start = time.monotonic()
    Reply.model_validate_json(client.responses.create(**body()).output_text)
    assert time.monotonic() - start >= 0.3


def test_a_late_reply_runs_into_the_timeout_and_a_drip_does_not(
    server: LoopbackServer, client: OpenAI
) -> None:
    impatient = client.with_options(timeout=0.15)
    rule(server, "delay", seconds=0.6)
    with pytest.raises(openai.APITimeoutError):
        impatient.responses.create(**body())
    # The client's timeout is for each read; only a deadline of the caller's own ends a drip.
    rule(server, "slow", seconds=0.6)
    impatient.responses.create(**body())


def test_faults_of_replies(server: LoopbackServer, client: OpenAI) -> None:
    def responses(fault: str) -> Any:
        rule(server, fault)
        return client.responses.create(**body())

    def choice(fault: str) -> Any:
        rule(server, fault)
        return client.chat.completions.create(**chat()).choices[0]

    refused = responses("refusal")
    assert refused.output[-1].content[0].type == "refusal" and refused.output_text == ""
    assert choice("refusal").message.refusal and choice("refusal").message.content is None
    filtered = responses("content_filter")
    assert filtered.status == "incomplete"
    assert filtered.incomplete_details.reason == "content_filter"
    assert choice("content_filter").finish_reason == "content_filter"
    cut = responses("truncated_text")
    assert cut.incomplete_details.reason == "max_output_tokens"
    with pytest.raises(ValueError):
        json.loads(cut.output_text)
    assert choice("truncated_text").finish_reason == "length"
    assert responses("empty").output_text == "" == choice("empty").message.content
    assert "```json" in responses("fenced").output_text
    for fault in ("wrong_schema", "half_json"):
        reply = responses(fault)
        assert reply.status == "completed"
        with pytest.raises(ValidationError):
            Reply.model_validate_json(reply.output_text)


def test_a_share_of_faults_is_the_same_in_any_order(server: LoopbackServer, client: OpenAI) -> None:
    def failed(names: range) -> set[int]:
        rule(server, "status", status=500, share=0.3)
        server.reset()
        found = set()
        for n in names:
            try:
                client.responses.create(**body(f"Tower {n}"))
            except openai.InternalServerError:
                found.add(n)
        return found

    first = failed(range(40))
    assert failed(range(39, -1, -1)) == first
    assert 4 <= len(first) <= 20


def test_rules_match_prompts_and_first_tries(server: LoopbackServer, client: OpenAI) -> None:
    rule(server, "status", status=503, match="Eiffel", tries=2)
    client.responses.create(**body("Big Ben"))
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            client.responses.create(**body())
    client.responses.create(**body())


def test_unknown_settings_are_refused(server: LoopbackServer) -> None:
    with pytest.raises(ValueError, match="no such fault"):
        rule(server, "earthquake")
    with pytest.raises(ValueError, match="colour"):
        server.set_faults({"colour": 1})


def test_counts_by_content_and_in_flight(server: LoopbackServer) -> None:
    server.set_faults({"latency": 0.2})

    async def run() -> None:
        async with AsyncOpenAI(base_url=server.url, api_key=KEY) as client:
            names = ["A", "A", "B", "C", "D"]
            await asyncio.gather(*[client.responses.create(**body(f"Tower {n}")) for n in names])

    asyncio.run(run())
    stats = server.stats()
    assert stats["max_in_flight"] == 5 and stats["in_flight"] == 0
    assert stats["online"][content_hash("responses", body("Tower A"))] == 2
    assert stats["billed_online"] == 5 and len(stats["online"]) == 4
    assert sum(requests for requests, _ in stats["per_second"].values()) == 5
    tokens = sum(tokens for _, tokens in stats["per_second"].values())
    assert tokens == stats["input_tokens"] > 5 * 765


def test_a_client_that_goes_away_is_billed(server: LoopbackServer, client: OpenAI) -> None:
    server.set_faults({"latency": 0.3})
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.1).responses.create(**body())
    assert server.stats()["billed_online"] == 1


def test_the_server_ends_with_its_starter() -> None:
    with start_server() as server:
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.process.wait(timeout=5) == 0
