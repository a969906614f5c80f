"""What a request will take, expected and at most, before it is sent.

Expected tokens are for planning, by rules that lean to the high side (docs/definitions.md, "Tokens
and money"):

text    a token per 4 ASCII characters, and per 2 UTF-8 bytes of other characters: about English as
        it is; accented letters 1, Chinese or Japanese characters 1.5.
schema  its compact JSON, as text.
image   by the model's family (`mgld.llm.image_tokens`); of an unknown family a token per 28 x 28
        pixels, as many open models count.
reply   by purpose (`TYPICAL_OUTPUT`), since what is asked for has a usual length; of a model that
        reasons at its default effort, all that it may use: `max_output_tokens`.

At most: no tokeniser that works on bytes makes more tokens than there are bytes, so texts and
schema count by their bytes; the endpoint stops at `max_output_tokens`, hidden reasoning included.
"""

from __future__ import annotations

import json
import re

from mgld.llm.image_tokens import image_tokens, most_image_tokens
from mgld.llm.images import sent_size
from mgld.llm.model_ids import base_model
from mgld.llm.prices import Price, cost_usd
from mgld.llm.request import Request
from mgld.schema import Record

TYPICAL_OUTPUT = {"qa": 200, "entities": 250}
"""Tokens of a usual reply, by the purpose of the request."""
OTHER_OUTPUT = 250
MESSAGE_OVERHEAD = 24
"""Tokens around the texts of a request: roles, separators, the name of the schema."""
MOST_OVERHEAD = 512
"""The same with what endpoints may add of their own, such as how to answer in JSON."""
_schema_texts: dict[str, str] = {}
"""By digest: a few schemas are shared by many requests, and writing one out takes a while."""
_REASONS = re.compile(r"o[1-9]|gpt-([5-9]|\d\d)")


class Estimate(Record):
    """Expected tokens of a request and its reply. `image_tokens` are part of `input_tokens`."""

    input_tokens: int
    output_tokens: int
    image_tokens: int = 0


def estimate(request: Request, width: int | None, height: int | None) -> Estimate:
    """Expected tokens of a request whose image file is `width` x `height` pixels.

    Where the size is not known, the image is taken to be as large as the parameters let it be.
    """
    image = _image_tokens(request, width, height)
    texts = (request.instructions, request.text, _schema_text(request))
    tokens = MESSAGE_OVERHEAD + sum(text_tokens(text) for text in texts) + image
    return Estimate(input_tokens=tokens, output_tokens=_output(request), image_tokens=image)


def text_tokens(text: str) -> int:
    """Expected tokens of a text (the rule is at the top of this file)."""
    size = _bytes(text)
    plain = len(text.encode("ascii", errors="ignore"))
    return -(-plain // 4) + -(-(size - plain) // 2)


def upper_bound_tokens(request: Request, estimate: Estimate) -> tuple[int, int]:
    """(input, output) tokens that a request cannot pass.

    The schema counts twice, once as the endpoint's constraint and once where it stands in the
    prompt. Images have a quarter on top, what a family's rule may be off by.
    """
    parameters = request.parameters
    extra = parameters.extra_body
    texts = [request.instructions, request.text]
    if extra:
        texts.append(json.dumps(extra, ensure_ascii=False, default=str))
    size = sum(_bytes(text) for text in texts) + 2 * _bytes(_schema_text(request))
    image = -(-estimate.image_tokens * 5 // 4)
    if request.image and image_tokens(request.model, 32, 32, parameters.image_detail) is None:
        side, detail = parameters.image_side, parameters.image_detail
        image = max(image, most_image_tokens(request.model, side, detail))
    tokens = max(MOST_OVERHEAD + size + image, estimate.input_tokens)
    return tokens, _most_output(request)


def upper_bound_usd(request: Request, estimate: Estimate, price: Price, *, batch: bool) -> float:
    """Dollars that a request cannot pass: what is reserved while it is in flight."""
    tokens, output = upper_bound_tokens(request, estimate)
    cached = tokens if price.cached_input > max(price.input, price.cache_write or 0.0) else 0
    return cost_usd(price, tokens, cached, output, batch=batch)


def _image_tokens(request: Request, width: int | None, height: int | None) -> int:
    if request.image is None:
        return 0
    side, detail = request.parameters.image_side, request.parameters.image_detail
    if width is None or height is None:
        known = image_tokens(request.model, side, side, detail) is not None
        if known:
            return most_image_tokens(request.model, side, detail)
        width = height = side
    width, height = sent_size(width, height, side)
    counted = image_tokens(request.model, width, height, detail)
    return -(-width // 28) * -(-height // 28) if counted is None else counted


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))


def _schema_text(request: Request) -> str:
    schema = request.schema
    if schema is None:
        return ""
    text = _schema_texts.get(schema.digest)
    if text is None:
        text = json.dumps(schema.json_schema, separators=(",", ":"), ensure_ascii=False)
        _schema_texts[schema.digest] = text
    return text


def _output(request: Request) -> int:
    most = request.parameters.max_output_tokens
    if _reasons(request):
        return most
    return min(most, TYPICAL_OUTPUT.get(request.purpose, OTHER_OUTPUT))


def _reasons(request: Request) -> bool:
    """Whether the model thinks before it answers, in tokens that are paid as output."""
    extra = request.parameters.extra_body
    reasoning = extra.get("reasoning")
    effort = extra.get("reasoning_effort")
    if isinstance(reasoning, dict):
        effort = reasoning.get("effort", effort)
    return effort not in ("none", "minimal") and bool(_REASONS.match(base_model(request.model)))


def _most_output(request: Request) -> int:
    """`max_output_tokens`, or what `extra_body` puts in its place, for every choice asked for."""
    extra = request.parameters.extra_body
    limits = [request.parameters.max_output_tokens]
    limits += [
        value
        for name in ("max_output_tokens", "max_completion_tokens", "max_tokens")
        if isinstance(value := extra.get(name), int)
    ]
    choices = extra.get("n")
    return max(limits) * (choices if isinstance(choices, int) and choices > 1 else 1)
