"""What many requests will take: tokens, dollars, batches and time, before anything is sent.

The estimates of single requests (`mgld.llm.estimate`) added up, less what the ledger has already,
and beside them what a sample of the same requests really took.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mgld.llm.batch_file import MAX_BYTES, MAX_REQUESTS
from mgld.llm.estimate import estimate, upper_bound_usd
from mgld.llm.images import sent_size
from mgld.llm.ledger import NANO, Ledger
from mgld.llm.prices import Price, cost_usd
from mgld.llm.request import Request
from mgld.llm.settings import LlmSettings
from mgld.schema import Record

ASSUMED_SECONDS = 6.0
"""Seconds a reply is taken to need where the ledger has none to say."""
JPEG_BYTES_PER_PIXEL = 0.4
"""Of a photograph scaled down and encoded as `mgld.llm.images` does it."""
LINE_BYTES = 600
"""Bytes of a batch file's line around texts, schema and image."""


class Planned(NamedTuple):
    """A request; width and height in pixels, and bytes, of its image file as far as known.

    unknown_tokens: how many more its text may have than is known by now.
    """

    request: Request
    width: int | None = None
    height: int | None = None
    file_bytes: int | None = None
    unknown_tokens: int = 0


class Sample(Record):
    """What replies of the same kind really took, on the mean; `seconds`: of online ones."""

    replies: int
    input_tokens: float
    cached_tokens: float
    output_tokens: float
    usd: float
    seconds: float | None = None


class Projection(Record):
    """What the requests to send would take if all were like the sample."""

    input_tokens: int
    output_tokens: int
    online_usd: float | None
    batch_usd: float | None


class StagePlan(Record):
    """The requests of one stage. Tokens, dollars, bytes and minutes are of the `to_send` alone.

    requests = answered + in_batch + to_send. Dollars are None without a price. `most_usd`: what
    they cannot pass online. `minutes` online at the limits of the settings, and which of them
    binds; through the Batch API each file may take a day.
    """

    stage: str
    requests: int
    answered: int
    in_batch: int
    to_send: int
    input_tokens: int
    output_tokens: int
    online_usd: float | None
    batch_usd: float | None
    most_usd: float | None
    batch_files: int
    batch_bytes: int
    minutes: float
    binds: str
    seconds_per_reply: float
    sample: Sample | None
    projection: Projection | None


class Known(NamedTuple):
    """What a ledger knows: keys with a reply, and keys in a batch that is not collected yet."""

    answered: set[str]
    in_batch: set[str]


def known(ledger: Ledger | None) -> Known:
    """What is answered or under way; nothing where there is no ledger yet."""
    return Known(ledger.answered(), ledger.open_batched()) if ledger else Known(set(), set())


def take_sample(ledger: Ledger, request: Request) -> Sample | None:
    """What replies to requests of the same purpose, model and prompt as `request` took."""
    ((replies, tokens, cached, output, cost, seconds),) = ledger.rows(
        "SELECT count(*), avg(r.input_tokens), avg(r.cached_tokens), avg(r.output_tokens),"
        " avg(r.cost), avg(CASE WHEN r.via = 'online' THEN r.seconds END)"
        " FROM replies r JOIN requests q ON q.key = r.key"
        " WHERE r.http_status = 200 AND r.input_tokens > 0"
        " AND q.purpose = ? AND q.model = ? AND q.prompt_version = ?",
        (request.purpose, request.model, request.prompt_version),
    )
    if not replies:
        return None
    return Sample(
        replies=replies,
        input_tokens=tokens,
        cached_tokens=cached,
        output_tokens=output,
        usd=cost / NANO,
        seconds=seconds,
    )


def plan_stage(
    stage: str,
    planned: Iterable[Planned],
    *,
    price: Price | None,
    settings: LlmSettings,
    ledger: Ledger | None = None,
    facts: Known | None = None,
) -> StagePlan:
    """Add up the requests of a stage; `facts`: `known(ledger)`, where it is at hand already."""
    facts = facts or known(ledger)
    requests = answered = in_batch = tokens = output = size = 0
    most = 0.0
    first: Request | None = None
    for each in planned:
        request = each.request
        first = first or request
        requests += 1
        if request.key in facts.answered:
            answered += 1
            continue
        if request.key in facts.in_batch:
            in_batch += 1
            continue
        expected = estimate(request, each.width, each.height)
        tokens += expected.input_tokens
        output += expected.output_tokens
        size += _line_bytes(each)
        if price is not None:
            most += upper_bound_usd(request, expected, price, batch=False)
            most += cost_usd(price, each.unknown_tokens, 0, 0, batch=False)
    to_send = requests - answered - in_batch
    sample = take_sample(ledger, first) if ledger and first else None
    seconds = (sample.seconds if sample else None) or ASSUMED_SECONDS
    minutes, binds = online_minutes(to_send, tokens + output, settings, seconds)
    return StagePlan(
        stage=stage,
        requests=requests,
        answered=answered,
        in_batch=in_batch,
        to_send=to_send,
        input_tokens=tokens,
        output_tokens=output,
        online_usd=_usd(price, tokens, 0, output, batch=False),
        batch_usd=_usd(price, tokens, 0, output, batch=True),
        most_usd=None if price is None else most,
        batch_files=max(-(-to_send // MAX_REQUESTS), -(-size // MAX_BYTES)),
        batch_bytes=size,
        minutes=minutes,
        binds=binds,
        seconds_per_reply=seconds,
        sample=sample,
        projection=_project(sample, to_send, price),
    )


def online_minutes(
    requests: int, tokens: int, settings: LlmSettings, seconds: float
) -> tuple[float, str]:
    """Minutes that `requests` of `tokens` in all need online, and which limit binds.

    seconds: what one reply takes.
    """
    waves = -(-requests // settings.concurrency)
    needs = {"concurrency": waves * seconds / 60}
    if settings.requests_per_minute:
        needs["requests per minute"] = requests / settings.requests_per_minute
    if settings.tokens_per_minute:
        needs["tokens per minute"] = tokens / settings.tokens_per_minute
    binds = max(needs, key=lambda limit: needs[limit])
    return needs[binds], binds


def _project(sample: Sample | None, to_send: int, price: Price | None) -> Projection | None:
    if sample is None:
        return None
    tokens, cached, output = (
        round(mean * to_send)
        for mean in (sample.input_tokens, sample.cached_tokens, sample.output_tokens)
    )
    return Projection(
        input_tokens=tokens,
        output_tokens=output,
        online_usd=_usd(price, tokens, cached, output, batch=False),
        batch_usd=_usd(price, tokens, cached, output, batch=True),
    )


def _usd(
    price: Price | None, tokens: int, cached: int, output: int, *, batch: bool
) -> float | None:
    return None if price is None else cost_usd(price, tokens, cached, output, batch=batch)


def _line_bytes(planned: Planned) -> int:
    """Bytes of a request's line in a batch file, its image in base64."""
    request = planned.request
    texts = (request.instructions, request.text)
    size = LINE_BYTES + sum(len(text.encode(errors="surrogatepass")) for text in texts)
    if request.schema is not None:
        size += len(request.schema.model_dump_json())
    if request.image is None:
        return size
    side = request.parameters.image_side
    width, height = planned.width or side, planned.height or side
    sent = sent_size(width, height, side)
    pixels = sent[0] * sent[1]
    image = int(pixels * JPEG_BYTES_PER_PIXEL)
    if planned.file_bytes is not None and sent == (width, height):
        image = min(planned.file_bytes, pixels * 3)  # sent as it is, where it is a JPEG
    return size + 4 * -(-image // 3)
