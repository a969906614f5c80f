"""Requests added up: tokens, dollars, batches, time, and a sample of the ledger beside them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mgld.llm.batch_file import MAX_BYTES, MAX_REQUESTS
from mgld.llm.estimate import estimate
from mgld.llm.ledger import Claim, Ledger, Settle, StoredReply
from mgld.llm.plan import (
    ASSUMED_SECONDS,
    Planned,
    StagePlan,
    online_minutes,
    plan_stage,
)
from mgld.llm.prices import cost_usd, find_price
from mgld.llm.request import Image, Request
from mgld.llm.settings import LlmSettings

MODEL = "gpt-4.1-mini-2025-04-14"
PLAIN = LlmSettings()
PRICE = find_price(MODEL, PLAIN)


def request(number: int, **fields: object) -> Request:
    values = {
        "purpose": "qa",
        "subject": str(number),
        "model": MODEL,
        "prompt_version": "qa-1",
        "instructions": "Answer.",
        "text": f"Landmark {number}",
        "image": Image(f"{number:064x}", bytes),
    }
    return Request(**(values | fields))


def planned(count: int, **fields: object) -> list[Planned]:
    return [Planned(request(number, **fields), 1024, 768, 150_000) for number in range(count)]


def plan(requests: list[Planned], ledger: Ledger | None = None, **settings: object) -> StagePlan:
    return plan_stage("qa", requests, price=PRICE, settings=LlmSettings(**settings), ledger=ledger)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def answer(ledger: Ledger, request: Request, **fields: object) -> None:
    (claimed,) = ledger.apply([Claim(request)])
    assert claimed is not None
    reply = StoredReply(
        key=request.key, via="online", api="chat", http_status=200, raw=b"{}", **fields
    )
    ledger.apply([Settle(claimed.attempt, reply)])


def test_estimates_add_up() -> None:
    found = plan(planned(10))
    one = estimate(request(0), 1024, 768)
    assert (found.requests, found.answered, found.to_send) == (10, 0, 10)
    assert found.input_tokens == 10 * one.input_tokens
    assert found.output_tokens == 10 * one.output_tokens
    assert PRICE is not None and found.online_usd is not None and found.most_usd is not None
    assert found.online_usd == pytest.approx(
        10 * cost_usd(PRICE, one.input_tokens, 0, one.output_tokens, batch=False)
    )
    assert found.batch_usd == pytest.approx(found.online_usd / 2)
    assert found.most_usd > found.online_usd
    assert found.sample is None and found.seconds_per_reply == ASSUMED_SECONDS


def test_without_a_price_there_are_tokens_and_no_dollars() -> None:
    found = plan_stage("qa", planned(3, model="tiny"), price=None, settings=PLAIN)
    assert found.input_tokens > 0
    assert (found.online_usd, found.batch_usd, found.most_usd) == (None, None, None)


def test_nothing_to_send() -> None:
    found = plan([])
    assert (found.requests, found.online_usd, found.batch_files, found.minutes) == (0, 0, 0, 0)


def test_what_is_answered_or_in_a_batch_is_not_sent_again(ledger: Ledger) -> None:
    answer(ledger, request(0))
    ledger.apply([Claim(request(1), batch="t")])
    found = plan(planned(5), ledger)
    assert (found.requests, found.answered, found.in_batch, found.to_send) == (5, 1, 1, 3)
    assert found.input_tokens == plan(planned(3)).input_tokens


def test_a_sample_stands_beside_the_estimate_and_projects(ledger: Ledger) -> None:
    for number, tokens in enumerate((900, 1100)):
        answer(
            ledger,
            request(number),
            input_tokens=tokens,
            cached_tokens=100,
            output_tokens=50,
            usd=0.001,
            seconds=2.0,
        )
    # Others' replies are no sample: another prompt, another model, an error.
    answer(ledger, request(50, prompt_version="qa-0"), input_tokens=9, seconds=9.0)
    answer(ledger, request(51, model="tiny"), input_tokens=9, seconds=9.0)
    answer(ledger, request(52), input_tokens=0)
    found = plan(planned(10), ledger)
    assert found.sample is not None and found.projection is not None
    assert found.sample.replies == 2
    assert (found.sample.input_tokens, found.sample.usd) == (1000, pytest.approx(0.001))
    assert found.projection.input_tokens == 8000
    assert found.projection.output_tokens == 400
    assert PRICE is not None
    assert found.projection.online_usd == pytest.approx(
        cost_usd(PRICE, 8000, 800, 400, batch=False)
    )
    assert found.seconds_per_reply == 2.0


@pytest.mark.parametrize(
    ("settings", "minutes", "binds"),
    [
        ({"concurrency": 10}, 100 * 6 / 10 / 60, "concurrency"),
        ({"concurrency": 10, "requests_per_minute": 5}, 20, "requests per minute"),
        (
            {"concurrency": 10, "requests_per_minute": 5, "tokens_per_minute": 1000},
            100,
            "tokens per minute",
        ),
        ({"concurrency": 1, "requests_per_minute": 5000}, 10, "concurrency"),
    ],
)
def test_the_tightest_limit_binds(settings: dict[str, int], minutes: float, binds: str) -> None:
    found = online_minutes(100, 100_000, LlmSettings(**settings), 6.0)
    assert found == (pytest.approx(minutes), binds)


def test_batches_split_by_requests_and_by_bytes() -> None:
    assert plan(planned(1)).batch_files == 1
    small = [Planned(request(number, image=None)) for number in range(2)]
    assert plan(small * (MAX_REQUESTS // 2 + 1)).batch_files == 2
    heavy = Planned(request(1), 700, 700, 1_400_000)
    found = plan([heavy] * 150)
    assert found.batch_bytes > 150 * 1_400_000 * 4 / 3
    assert found.batch_files == -(-found.batch_bytes // MAX_BYTES) == 2


def test_bytes_of_an_image_follow_what_is_sent_of_it() -> None:
    as_it_is = plan([Planned(request(1), 700, 500, 90_000)]).batch_bytes
    scaled = plan([Planned(request(1), 4000, 3000, 6_000_000)]).batch_bytes
    unknown = plan([Planned(request(1))]).batch_bytes
    assert 120_000 < as_it_is < 122_000
    assert scaled < unknown < 400_000


def test_text_that_is_not_known_yet_counts_for_the_most_alone() -> None:
    one, more = (
        plan([Planned(request(1), 9, 9, 9, unknown_tokens=number)]) for number in (0, 1_000_000)
    )
    assert one.most_usd is not None and more.most_usd is not None and PRICE is not None
    assert more.most_usd - one.most_usd == pytest.approx(PRICE.input)
    assert more.online_usd == one.online_usd
