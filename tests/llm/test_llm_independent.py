"""We do not only talk to ourselves: `transformers serve`, written by others, is spoken to.

What transformers 5.23 does, each held by a test below:

- All four dialects are answered. It reads neither `text.format` nor `response_format`, and accepts
  any value of either without a word: a schema binds nothing, so every reply has to be validated.
- `POST /responses` streams unless the body says `"stream": false`, which the `openai` client does
  not send by itself: one who leaves it out gets 200 with server-sent events instead of JSON.
- Cut off at the token limit, Chat Completions says `finish_reason: "length"`; Responses says
  `status: "completed"`, without `incomplete_details`. Its usage counts are right in both, without
  `prompt_tokens_details` in Chat Completions.
- `max_tokens` and `max_completion_tokens` are both read. `detail` of an image and a temperature
  (where the model does not sample) are accepted and without effect. A field that OpenAI does not
  have (`top_k`) is refused: 422 with `{"detail": ...}` and no `error`.
- A model is named by the path of its folder; the reply calls it `PATH@main`. A model that is not
  there, and a picture that cannot be decoded, are a 500 with a body of plain text, and stay so
  however often they are tried. After a 500 it closes the connection without saying so, and the next
  request on it is reset (test_llm_dropped.py).
- `GET /models` lists the download cache, not what can be asked. There are no files and no batches.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from click.testing import CliRunner
from independent_server import serving
from openai import (
    InternalServerError,
    NotFoundError,
    OpenAI,
    UnprocessableEntityError,
)
from tiny_vlm import CHANNELS, IMAGE_TOKENS, make_babbling_vlm, make_tiny_vlm

from mgld.annotate.replies import ENTITIES_SCHEMA, QA_SCHEMA, QaReply, entities_reply
from mgld.build import BuildView
from mgld.cli import main
from mgld.llm.errors import EndpointError
from mgld.llm.ledger import Ledger, StoredReply
from mgld.llm.online import Gathered, gather
from mgld.llm.request import Image, Parameters, Request
from mgld.llm.settings import Api, LlmSettings
from mgld.llm.structured import output_schema, read_structured
from mgld.llm.wire import read_reply

KIND_WORD = "hierarchical_label"
REPLIES = {
    channel: json.dumps({"answer": f"The picture is mostly {channel}.", "location": None})
    for channel in CHANNELS
}
REPLIES[KIND_WORD] = json.dumps(
    {
        "entities": ["pointed arches", "grey stone walls", "round window"],
        KIND_WORD: "church",
        "aliases": [],
        "place_hints": ["Europe"],
    }
)
SCHEMA = {  # which no reply of the model fits
    "type": "object",
    "properties": {"colour": {"type": "string"}},
    "required": ["colour"],
    "additionalProperties": False,
}
FORMAT = {"name": "colour", "strict": True, "schema": SCHEMA}
DIALECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "responses": ("responses", {"text": {"format": {"type": "json_schema", **FORMAT}}}),
    "chat": ("chat", {"response_format": {"type": "json_schema", "json_schema": FORMAT}}),
    "chat-json": ("chat", {"response_format": {"type": "json_object"}}),
    "chat-text": ("chat", {}),
}


@dataclass(frozen=True)
class Server:
    base_url: str
    model: str
    babbler: str
    reply_tokens: dict[str, int]

    @property
    def client(self) -> OpenAI:
        return OpenAI(base_url=self.base_url, api_key="none", max_retries=0, timeout=60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("serve")
    model, babbler = folder / "tiny", folder / "babbler"
    tokens = make_tiny_vlm(model, REPLIES)
    make_babbling_vlm(babbler)
    with serving(folder) as base_url:
        yield Server(base_url, str(model), str(babbler), tokens)


def picture(channel: str) -> bytes:
    """A PNG that is a dull tone of `channel`, larger and wider than what the model looks at."""
    from PIL import Image

    colour = tuple(120 if each == channel else 90 for each in CHANNELS)
    file = io.BytesIO()
    Image.new("RGB", (300, 200), colour).save(file, "PNG")
    return file.getvalue()


def data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def ask(server: Server, route: str, url: str, *, model: str | None = None, **more: Any) -> Any:
    """One question about a picture by the `openai` client's own methods."""
    model = model or server.model
    if route == "responses":
        content = [
            {"type": "input_text", "text": "Which?"},
            {"type": "input_image", "image_url": url, "detail": "high"},
        ]
        turns: Any = [{"role": "user", "content": content}]
        more = {"stream": False} | more
        return server.client.responses.create(
            model=model, instructions="Be brief.", input=turns, **more
        )
    content = [
        {"type": "text", "text": "Which?"},
        {"type": "image_url", "image_url": {"url": url, "detail": "high"}},
    ]
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]
    return server.client.chat.completions.create(model=model, messages=turns, **more)


def text_and_tokens(reply: Any) -> tuple[str, int, int]:
    """Text, tokens in, tokens out."""
    if reply.object == "response":
        return reply.output_text, reply.usage.input_tokens, reply.usage.output_tokens
    usage = reply.usage
    return reply.choices[0].message.content, usage.prompt_tokens, usage.completion_tokens


PROMPT_TOKENS = len("[system]Be brief.\n[user]Which?\n") + IMAGE_TOKENS + 1  # and the start token


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("channel", CHANNELS)
def test_every_dialect_is_answered_from_the_picture_and_no_schema_is_kept(
    server: Server, dialect: str, channel: str
) -> None:
    route, more = DIALECTS[dialect]
    reply = ask(server, route, data_url(picture(channel)), **more)
    tokens = PROMPT_TOKENS, server.reply_tokens[channel]
    assert text_and_tokens(reply) == (REPLIES[channel], *tokens)
    assert reply.model == f"{server.model}@main"


def test_a_response_streams_unless_told_not_to(server: Server) -> None:
    ask_raw = server.client.responses.with_raw_response.create
    raw = ask_raw(model=server.model, input="Which?")
    assert raw.headers["content-type"].startswith("text/event-stream")
    assert isinstance(raw.parse(), str)
    raw = ask_raw(model=server.model, input="Which?", stream=False)
    assert raw.headers["content-type"] == "application/json"


def test_only_chat_completions_say_that_a_reply_was_cut_off(server: Server) -> None:
    url = data_url(picture("blue"))
    for name in ("max_tokens", "max_completion_tokens"):
        chat = ask(server, "chat", url, **{name: 5})
        assert chat.choices[0].finish_reason == "length"
        assert chat.usage.completion_tokens == 5
        assert chat.usage.prompt_tokens_details is None
    response = ask(server, "responses", url, max_output_tokens=5)
    assert (response.status, response.incomplete_details) == ("completed", None)
    assert response.usage.output_tokens == 5
    assert response.usage.input_tokens_details.cached_tokens == 0
    assert response.output_text == chat.choices[0].message.content
    assert REPLIES["blue"].startswith(response.output_text)


@pytest.mark.parametrize("route", ["responses", "chat"])
def test_what_is_refused_and_how(server: Server, route: str) -> None:
    url = data_url(picture("red"))
    with pytest.raises(UnprocessableEntityError) as refusal:
        ask(server, route, url, extra_body={"top_k": 1})
    assert refusal.value.response.json() == {
        "detail": "Unexpected fields in the request: {'top_k'}"
    }
    for broken in (
        lambda: ask(server, route, url, model="no/such-model"),
        lambda: ask(server, route, "data:image/png;base64,AAAA"),
    ):
        with pytest.raises(InternalServerError) as failure:
            broken()
        assert failure.value.response.status_code == 500
        assert failure.value.response.text == "Internal Server Error"


def test_no_list_of_models_files_or_batches_can_be_counted_on(server: Server) -> None:
    assert server.client.models.list().data == []
    with pytest.raises(NotFoundError):
        server.client.batches.list()
    with pytest.raises(NotFoundError):
        server.client.files.list()


def test_a_babbling_model_is_cut_off_and_no_json(server: Server) -> None:
    url = data_url(picture("red"))
    reply = ask(server, "chat", url, model=server.babbler, max_tokens=40)
    text, _, tokens = text_and_tokens(reply)
    assert (reply.choices[0].finish_reason, tokens) == ("length", 40)
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


def requests(model: str) -> list[Request]:
    """What stage 2 wants of each colour's picture, and what stage 3 wants of the last one."""
    made = [
        Request(
            purpose="qa",
            subject=channel,
            model=model,
            prompt_version="test",
            instructions="Say what you see.",
            text="What is this? Где это? " * 20,
            image=Image(channel * 8, partial(picture, channel)),
            schema=output_schema(QaReply, QA_SCHEMA),
            parameters=Parameters(max_output_tokens=60),
        )
        for channel in CHANNELS
    ]
    text = f"Give entities and {KIND_WORD}."
    schema = output_schema(entities_reply(), ENTITIES_SCHEMA)
    return [*made, replace(made[-1], purpose="entities", text=text, schema=schema)]


def gathered(
    ledger: Path, server: Server, model: str, api: Api | Literal["auto"] = "auto"
) -> tuple[Gathered, list[StoredReply]]:
    """What a run did, and the replies in the order of `requests`."""
    asked = requests(model)
    settings = LlmSettings(base_url=server.base_url, api=api, concurrency=3)
    with Ledger(ledger) as book:
        done = gather(asked, book, settings)
        replies = book.replies(request.key for request in asked)
    return done, [replies[request.key] for request in asked]


@pytest.mark.parametrize(("api", "spoken"), [("auto", "responses"), ("chat", "chat")])
def test_gather_is_answered_and_asks_nothing_twice(
    server: Server, tmp_path: Path, api: Api | Literal["auto"], spoken: Api
) -> None:
    done, replies = gathered(tmp_path / "ledger.sqlite", server, server.model, api)
    assert (done.api, done.answered, done.errors, done.retries, done.lost) == (spoken, 4, 0, 0, 0)
    said = [read_reply(reply.api, reply.http_status, reply.raw) for reply in replies]
    for channel, reply in zip(CHANNELS, said, strict=False):
        assert read_structured(QaReply, reply.text).value == QaReply.model_validate_json(
            REPLIES[channel]
        )
    assert read_structured(
        entities_reply(), said[-1].text
    ).value == entities_reply().model_validate_json(REPLIES[KIND_WORD])
    assert [reply.output_tokens for reply in replies] == [
        server.reply_tokens[cue] for cue in (*CHANNELS, KIND_WORD)
    ]
    prompt = f"[system]Say what you see.\n[user]{'What is this? Где это? ' * 20}\n"
    prompt_tokens = len(prompt.encode()) + IMAGE_TOKENS + 1
    assert [reply.input_tokens for reply in replies[:3]] == [prompt_tokens] * 3
    assert {reply.model for reply in replies} == {f"{server.model}@main"}

    nowhere = replace(server, base_url="http://127.0.0.1:9/v1")
    again, same = gathered(tmp_path / "ledger.sqlite", nowhere, server.model, api)
    assert (again.before, again.answered) == (4, 0)
    assert same == replies


def test_gather_keeps_what_babbling_costs_and_says_why_it_is_of_no_use(
    server: Server, tmp_path: Path
) -> None:
    done, replies = gathered(tmp_path / "ledger.sqlite", server, server.babbler)
    assert (done.api, done.errors) == ("chat-text", 0)  # stricter dialects had no effect
    for reply in replies:
        said = read_reply(reply.api, reply.http_status, reply.raw)
        assert (said.status, said.truncated, said.output_tokens) == ("ok", True, 60)
        read = read_structured(QaReply, said.text)
        assert read.value is None
        assert "not JSON" in read.reason


def test_gather_stops_at_a_model_that_is_not_there(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mgld.llm.limits.FIRST_BACKOFF", 0.01)
    with pytest.raises(EndpointError, match="Internal Server Error"):
        gathered(tmp_path / "ledger.sqlite", server, "no/such-model")


@pytest.mark.slow
def test_a_whole_build_is_annotated_and_made_again_from_its_ledger_alone(
    server: Server, tmp_path: Path
) -> None:
    def build(name: str, base_url: str) -> BuildView:
        command = ["build", "--source", "world:12", "--encoder", "nano", "--workers", "1"]
        command += ["--annotator", f"openai:{server.model}", "--base-url", base_url]
        command += ["--ledger", str(tmp_path / "ledger.sqlite"), "--out", str(tmp_path / name)]
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0, result.output
        return BuildView(tmp_path / name)

    made = build("made", server.base_url)
    qa, entities = (made.table(stage, "part").to_pylist() for stage in ("qa", "entities"))
    assert {row["status"] for row in (*qa, *entities)} == {"ok"}
    said = {json.loads(REPLIES[channel])["answer"] for channel in CHANNELS}
    answers = {row["conversation"][1]["content"] for row in qa}
    assert answers <= said
    assert len(answers) > 1  # it is the pictures that make the difference
    assert {row["hierarchical_label"] for row in entities} == {"church"}

    again = build("again", "http://127.0.0.1:9/v1")
    for stage in ("qa", "entities"):
        assert again.table(stage, "part") == made.table(stage, "part")
