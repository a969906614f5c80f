"""`openai:` against the loopback endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from answer_data import ask, rows, settings
from openai_server import LoopbackServer, start_server

from mgld.evaluate.answering import AnswerSettings, answer_questions
from mgld.evaluate.models.base import ModelOptions
from mgld.evaluate.models.openai import OpenAiModel
from mgld.evaluate.records import Answer, Decoding
from mgld.llm import LlmSettings
from mgld.llm.errors import BudgetError
from mgld.llm.wire import body

MODEL = "gpt-4.1-2025-04-14"
DRAWS = 50


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with start_server() as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(server: LoopbackServer) -> None:
    server.set_faults({})
    server.reset()


def asking(build: Path, server: LoopbackServer, **llm: object) -> AnswerSettings:
    given = {"base_url": server.url, "concurrency": 8, **llm}
    return settings(build, f"openai:{MODEL}", llm=LlmSettings.model_validate(given))


def test_each_draw_is_asked_and_paid_for_once(
    answer_build: Path, server: LoopbackServer, tmp_path: Path
) -> None:
    asked = asking(answer_build, server)
    counts = answer_questions(asked, tmp_path)
    assert (counts.ok, counts.missing) == (DRAWS, 0)
    assert server.stats()["billed_online"] == DRAWS
    row = next(iter(rows(tmp_path).values()))
    assert row["seed"] is None and row["model"] == f"openai:{MODEL}"
    assert row["details"]["model"] and row["details"]["output_tokens"]
    # Without the answers, they come from the ledger; nothing is asked again.
    before = rows(tmp_path)
    (tmp_path / "answers.jsonl").unlink()
    assert answer_questions(asked, tmp_path).ok == DRAWS
    assert rows(tmp_path) == before and server.stats()["billed_online"] == DRAWS


def test_questions_with_one_text_share_replies_and_all_get_theirs(
    answer_build: Path, server: LoopbackServer, tmp_path: Path
) -> None:
    """Two landmarks of one name, asked about without their images."""
    first, second, other = ask(answer_build, 3)
    first, second = (replace(each, text="Who is it?", read_image=None) for each in (first, second))
    options = ModelOptions(tmp_path, llm=LlmSettings.model_validate({"base_url": server.url}))
    found: list[Answer] = []
    OpenAiModel(MODEL, options).answer([first, second, other], found.append)
    by_draw = {(each.question_id, each.draw): each.text for each in found}
    assert len(found) == len(by_draw) == 15
    assert server.stats()["billed_online"] == 10
    ids = [each.question.id for each in (first, second)]
    texts = [[by_draw[id, draw] for draw in range(5)] for id in ids]
    assert texts[0] == texts[1]


def test_what_is_sent(answer_build: Path, tmp_path: Path) -> None:
    (asked,) = ask(answer_build, 1, temperature=0.7, top_p=0.9)
    plain = OpenAiModel(MODEL, ModelOptions(tmp_path))
    requests = [plain._request(asked, draw) for draw in range(5)]
    assert len({request.key for request in requests}) == 5
    fields = body(requests[0], "data:image/jpeg;base64,AA", "chat")
    assert fields["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": asked.text},
                {
                    "type": "image_url",
                    "image_url": {"url": "data:image/jpeg;base64,AA", "detail": "high"},
                },
            ],
        }
    ]
    assert (fields["temperature"], fields["top_p"], fields["max_completion_tokens"]) == (
        0.7,
        0.9,
        16,
    )
    assert "instructions" not in body(requests[0], None, "responses") and "seed" not in fields
    seeded = OpenAiModel(MODEL, ModelOptions(tmp_path, send_seed=True))._request(asked, 3)
    assert body(seeded, None, "chat")["seed"] == asked.draw_seed(3)
    assert seeded.key not in {request.key for request in requests}
    (bare,) = ask(answer_build, 1, temperature=None, top_p=None)
    assert not {"temperature", "top_p"} & body(plain._request(bare, 0), None, "chat").keys()


def test_a_budget_stops_it_and_a_higher_one_goes_on(
    answer_build: Path, server: LoopbackServer, tmp_path: Path
) -> None:
    with pytest.raises(BudgetError, match="a higher --max-usd goes on from here"):
        answer_questions(asking(answer_build, server, max_usd=0.02, concurrency=2), tmp_path)
    there = len(rows(tmp_path))
    assert 0 < there < DRAWS
    counts = answer_questions(asking(answer_build, server, max_usd=5), tmp_path)
    assert (counts.before, counts.ok) == (there, DRAWS)
    assert server.stats()["billed_online"] == DRAWS


def test_refused_cut_off_and_failed_draws_are_rows(
    answer_build: Path, server: LoopbackServer, tmp_path: Path
) -> None:
    rules = [
        {"fault": "refusal", "ordinals": [0, 1]},
        {"fault": "truncated_text", "ordinals": [2]},
        {"fault": "empty", "ordinals": [3]},
    ]
    server.set_faults({"rules": rules})
    counts = answer_questions(asking(answer_build, server, api="chat"), tmp_path)
    found = list(rows(tmp_path).values())
    assert (counts.ok, counts.refused) == (DRAWS - 2, 2)
    assert all(row["reason"] for row in found if row["status"] == "refused")
    # A model that is cut off, or says nothing, has answered.
    assert sum("truncated" in row["details"] for row in found) == 1
    assert [row["status"] for row in found if not row["text"]].count("ok") == 1


def test_an_image_that_cannot_be_read_is_an_error_and_can_be_asked_again(
    answer_build: Path,
    server: LoopbackServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mgld.evaluate.questions import ImageReader

    read = ImageReader.__call__
    asked = asking(answer_build, server)
    broken: list[str] = []

    def damaged(self: ImageReader, question_id: str) -> bytes:
        if not broken:
            broken.append(question_id)
        return b"nothing" if question_id in broken else read(self, question_id)

    monkeypatch.setattr(ImageReader, "__call__", damaged)
    assert answer_questions(asked, tmp_path).errors == 5
    assert all("not_an_image" in row["reason"] for row in rows(tmp_path).values() if row["reason"])
    monkeypatch.setattr(ImageReader, "__call__", read)
    assert answer_questions(asked, tmp_path).errors == 5
    assert answer_questions(asked, tmp_path, retry_errors=True).ok == DRAWS
    assert server.stats()["billed_online"] == DRAWS


def test_decoding_is_part_of_the_run(
    answer_build: Path, server: LoopbackServer, tmp_path: Path
) -> None:
    answer_questions(asking(answer_build, server), tmp_path)
    warm = asking(answer_build, server).model_copy(update={"decoding": Decoding(temperature=1.0)})
    with pytest.raises(ValueError, match="holds a run with decoding"):
        answer_questions(warm, tmp_path)
