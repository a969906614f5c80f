"""Expected tokens, and the bound that a request's real cost cannot pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgld.llm.estimate import (
    estimate,
    text_tokens,
    upper_bound_tokens,
    upper_bound_usd,
)
from mgld.llm.image_tokens import FAMILIES, image_tokens
from mgld.llm.images import sent_size
from mgld.llm.prices import cost_usd, find_price
from mgld.llm.request import Image, OutputSchema, Parameters, Request
from mgld.llm.settings import LlmSettings

IMAGE = Image("0" * 64, bytes)
SCHEMA = OutputSchema(
    name="qa", json_schema={"type": "object", "properties": {"answer": {"type": "string"}}}
)


def request(text: str = "What is this?", model: str = "gpt-4.1-mini", **fields: object) -> Request:
    values = {"image": IMAGE, "schema": SCHEMA, "purpose": "qa", "instructions": "Be brief."}
    return Request(subject="1", model=model, prompt_version="p", text=text, **(values | fields))


def test_the_text_rule() -> None:
    assert text_tokens("") == 0
    assert text_tokens("abcd" * 10) == 10
    assert text_tokens("é" * 10) == 10
    assert text_tokens("東京都" * 10) == 45
    assert text_tokens("😀" * 3) == 6
    assert text_tokens("\ud800") > 0  # a lone surrogate of a damaged file


def test_english_counts_near_what_tokenisers_make_of_it() -> None:
    # GPT-4o's o200k_base makes 10 tokens of this sentence (9 words and a full stop).
    assert 10 <= text_tokens("The quick brown fox jumps over the lazy dog.") <= 14


def test_parts_add_up() -> None:
    bare = estimate(request(image=None, schema=None), None, None)
    assert bare.image_tokens == 0
    with_schema = estimate(request(image=None), None, None)
    assert with_schema.input_tokens > bare.input_tokens
    whole = estimate(request(), 1536, 1024)
    tokens = image_tokens("gpt-4.1-mini", 768, 512, "high")
    assert whole.image_tokens == tokens == whole.input_tokens - with_schema.input_tokens


def test_an_unknown_size_is_the_largest_and_an_unknown_family_has_a_rule() -> None:
    assert estimate(request(), None, None).image_tokens == image_tokens(
        "gpt-4.1-mini", 768, 768, "high"
    )
    assert estimate(request(model="tiny"), 560, 280).image_tokens == 20 * 10


def test_reasoning_models_may_use_all_their_output() -> None:
    assert estimate(request(), None, None).output_tokens == 200
    thinking = request(model="gpt-5-mini-2025-08-07")
    assert estimate(thinking, None, None).output_tokens == 1024
    for extra in ({"reasoning": {"effort": "none"}}, {"reasoning_effort": "minimal"}):
        calm = request(model="gpt-5-mini", parameters=Parameters(extra_body=extra))
        assert estimate(calm, None, None).output_tokens == 200
    short = request(parameters=Parameters(max_output_tokens=50))
    assert estimate(short, None, None).output_tokens == 50


ADVERSARIAL = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from("a \n\u200d👩🏽\ufdfa鬱ཨོཾ\ud800")),
    max_size=300,
)


@given(
    ADVERSARIAL,
    ADVERSARIAL,
    st.sampled_from(sorted(FAMILIES)),
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.booleans(),
    st.floats(0, 1),
)
def test_the_real_cost_never_passes_the_bound(
    text: str,
    instructions: str,
    model: str,
    width: int,
    height: int,
    output: int,
    batch: bool,
    cached: float,
) -> None:
    """The dearest a byte-level tokeniser can be: a token per byte; and all the output there is."""
    price = find_price(model, LlmSettings()) or find_price("gpt-6-astra", LlmSettings())
    assert price is not None
    asked = request(
        text,
        model,
        instructions=instructions,
        parameters=Parameters(max_output_tokens=output),
    )
    worst = sum(len(part.encode(errors="surrogatepass")) for part in (text, instructions))
    worst += len(SCHEMA.model_dump_json())
    worst += image_tokens(model, *sent_size(width, height, 768), "high") or 0
    paid = cost_usd(price, worst, int(cached * worst), output, batch=batch)
    for size in ((width, height), (None, None)):
        expected = estimate(asked, *size)
        bound = upper_bound_usd(asked, expected, price, batch=batch)
        assert paid <= bound
        assert (
            cost_usd(price, expected.input_tokens, 0, expected.output_tokens, batch=batch) <= bound
        )


@pytest.mark.parametrize("letter", ["x", "é", "鬱", "\U0001f9ff"])
def test_long_texts_are_bounded_by_their_bytes_in_every_script(letter: str) -> None:
    text = letter * 5000
    worst = 5000 * len(letter.encode(errors="surrogatepass"))
    for fields in ({"text": text}, {"text": "", "instructions": text}):
        asked = request(image=None, schema=None, **fields)
        assert upper_bound_tokens(asked, estimate(asked, None, None))[0] >= worst
    schema = OutputSchema(name="s", json_schema={"enum": [letter] * 5000})
    asked = request(image=None, schema=schema)
    assert upper_bound_tokens(asked, estimate(asked, None, None))[0] >= 2 * worst


def test_an_unknown_family_is_bounded_by_the_largest_known() -> None:
    asked = request(model="my-model")
    tokens, _ = upper_bound_tokens(asked, estimate(asked, 768, 768))
    assert tokens > (image_tokens("gpt-4o-mini", 768, 768, "high") or 0)


@pytest.mark.parametrize(
    ("extra", "most"),
    [({}, 100), ({"n": 5}, 500), ({"max_completion_tokens": 900}, 900), ({"n": True}, 100)],
)
def test_extra_body_cannot_raise_the_output_over_the_bound(
    extra: dict[str, object], most: int
) -> None:
    asked = request(parameters=Parameters(max_output_tokens=100, extra_body=extra))
    assert upper_bound_tokens(asked, estimate(asked, None, None))[1] == most


def test_extra_body_text_counts_for_the_bound() -> None:
    plain, long = request(), request(parameters=Parameters(extra_body={"prefix": "x" * 5000}))
    tokens = [upper_bound_tokens(each, estimate(each, 9, 9))[0] for each in (plain, long)]
    assert tokens[1] >= tokens[0] + 5000
