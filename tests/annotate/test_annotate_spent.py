"""What a ledger says of requests, against a ledger filled by hand."""

from __future__ import annotations

import json
from pathlib import Path

from annotate_replies import chat, no_image, task

from mgld.annotate.model import ModelAnnotator, task_image
from mgld.annotate.spent import came_outside, reply_texts, stage_spent
from mgld.gldv2.labels import LABELS
from mgld.llm import Ledger, Request, StoredReply
from mgld.llm.ledger import Claim, Release, Settle


def request(landmark_id: int, seed: int = 0) -> Request:
    each = task(f"Castle {landmark_id}", landmark_id)
    return ModelAnnotator(model="m", seed=seed).qa_request(each, task_image(each, no_image))


def ask(ledger: Ledger, asked: Request, usd: float = 0.0) -> int:
    (claimed,) = ledger.apply([Claim(asked, usd)])
    assert claimed is not None and claimed.state == "granted"
    return claimed.attempt


def reply(
    ledger: Ledger, asked: Request, text: str, *, tokens: tuple[int, int, int] = (0, 0, 0),
    usd: float = 0.0, seconds: float = 0.0, model: str = "m-1", http_status: int = 200,
) -> None:  # fmt: skip
    stored = StoredReply(asked.key, "online", "chat", http_status, chat(text), model, *tokens,
                         usd=usd, seconds=seconds)  # fmt: skip
    ledger.apply([Settle(ask(ledger, asked, usd * 2), stored)])


def test_what_requests_took(tmp_path: Path) -> None:
    first, second, third, other = (request(1), request(2), request(3), request(1, seed=9))
    with Ledger(tmp_path / "l.sqlite") as ledger:
        reply(ledger, first, "no", tokens=(100, 10, 5), usd=0.5, seconds=1.0)
        ledger.forget([first.key])
        reply(ledger, first, "yes", tokens=(100, 0, 7), usd=0.25, seconds=3.0, model="m-2")
        ledger.apply([Release(ask(ledger, second, 0.125), "dropped", paid=True)])
        ledger.apply([Release(ask(ledger, second), "not sent")])
        reply(ledger, second, "yes", tokens=(50, 0, 1))
        reply(ledger, other, "of another build", tokens=(999, 0, 999), usd=9)
        found = stage_spent(ledger, "qa", [first.key, second.key, third.key])
        assert reply_texts(ledger, [first.key, third.key]) == {first.key: "yes"}
        assert stage_spent(ledger, "entities", [first.key]).tries == 0
    assert (found.requests, found.answered, found.unanswered) == (3, 2, 1)
    assert (found.tries, found.in_vain, found.lost, found.lost_usd) == (5, 2, 1, 0.125)
    assert (found.put_aside, found.batched, found.usd) == (1, 0, 0.75)
    assert (found.input_tokens, found.cached_tokens, found.output_tokens) == (250, 10, 13)
    assert found.models == {"m-1": 2, "m-2": 1}
    assert found.seconds == 4 / 3


def test_labels_that_came_outside_the_list(tmp_path: Path) -> None:
    said = {"entities": ["a"], "aliases": [], "place_hints": []}
    texts = [json.dumps(said | {"hierarchical_label": label})
             for label in ("Church", "fortress", "fortress", "church", None)]  # fmt: skip
    texts.append("no JSON, and fortress")
    asked = [request(k) for k in range(len(texts))]
    with Ledger(tmp_path / "l.sqlite") as ledger:
        for each, text in zip(asked, texts, strict=True):
            reply(ledger, each, text)
        ok = {each.key: k in (0, 3, 4) for k, each in enumerate(asked)}
        found = came_outside(ledger, ok, LABELS)
    assert (found.replies, found.repaired, found.not_ok) == (3, 1, 2)
    assert found.labels == {"fortress": 2, "Church": 1}
