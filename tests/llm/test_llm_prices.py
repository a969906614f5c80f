import datetime
from pathlib import Path

import pytest

from mgld.llm.prices import cost_usd, find_price, find_shutdown, read_prices
from mgld.llm.settings import LlmSettings

PLAIN = LlmSettings()
BUILT_IN = Path(__file__).parents[2] / "mgld/llm/prices.yaml"


def own(folder: Path, text: str) -> LlmSettings:
    path = folder / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    return LlmSettings(prices=str(path))


def test_a_snapshot_has_the_price_of_its_family_and_never_of_a_beginning() -> None:
    family = find_price("gpt-4.1", PLAIN)
    assert family is not None
    assert find_price("gpt-4.1-2025-04-14", PLAIN) == family
    mini, full = find_price("gpt-4o-mini", PLAIN), find_price("gpt-4o", PLAIN)
    assert mini is not None and full is not None and mini.input < full.input
    for stranger in ("gpt-4o-maxi", "gpt-4o-", "gpt-4", "gpt-4.1-mini-foo", "gpt-4.1-2025", "tiny"):
        assert find_price(stranger, PLAIN) is None, stranger


def test_a_snapshot_with_a_price_of_its_own_keeps_it() -> None:
    first, family = find_price("gpt-4o-2024-05-13", PLAIN), find_price("gpt-4o-2024-08-06", PLAIN)
    assert first is not None and family is not None
    assert (first.input, family.input) == (5, 2.5)


def test_shutdown_dates() -> None:
    assert find_shutdown("gpt-4o-2024-05-13", PLAIN) == datetime.date(2026, 10, 23)
    for model in ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20", "gpt-4.1-mini"):
        assert find_shutdown(model, PLAIN) == datetime.date(2027, 1, 14)
    assert find_shutdown("ft:gpt-4o-2024-08-06:org::id", PLAIN) == datetime.date(2027, 1, 14)
    assert find_shutdown("gpt-6-luna", PLAIN) is None
    assert find_shutdown("tiny", PLAIN) is None


def test_fine_tunes_have_no_price_unless_given(tmp_path: Path) -> None:
    tuned = "ft:gpt-4o-mini-2024-07-18:org::id"
    assert find_price(tuned, PLAIN) is None
    price = find_price(tuned, own(tmp_path, f"models: {{'{tuned}': {{input: 0.3, output: 1.2}}}}"))
    assert price is not None and price.cached_input == 0.3


def test_an_own_file_goes_first_and_leaves_the_rest(tmp_path: Path) -> None:
    settings = own(tmp_path, "models: {gpt-4.1: {input: 1, output: 2, batch_factor: 1}}")
    price = find_price("gpt-4.1-2025-04-14", settings)
    assert price is not None and (price.input, price.batch_factor) == (1, 1)
    assert find_shutdown("gpt-4.1", settings) == datetime.date(2027, 1, 14)
    assert find_price("gpt-4o", settings) == find_price("gpt-4o", PLAIN)


def test_an_own_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    assert find_price("a", own(tmp_path, "models: {b: {input: 1, output: 2}}")) is None
    assert find_price(
        "a", own(tmp_path, "models: {a: {input: 1, output: 2}, c: {input: 1, output: 1}}")
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models: [", "not YAML"),
        ("{}", "models"),
        ("models: {}", "models"),
        ("models: {a: {input: 1, output: 2}}\nextra: 1", "models"),
        ("models: {a: {input: 1}}", "model a: output"),
        ("models: {a: {input: -1, output: 2}}", "model a: input"),
        ("models: {a: {input: .nan, output: 2}}", "model a: input"),
        ("models: {a: {inputs: 1, input: 1, output: 2}}", "model a: inputs"),
        ("models: {a: 3}", "model a"),
        ("models: {1: {input: 1, output: 2}}", "quote it"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    settings = own(tmp_path, text)
    with pytest.raises(ValueError, match=says) as caught:
        find_price("a", settings)
    assert str(settings.prices) in str(caught.value)
    with pytest.raises(FileNotFoundError):
        find_price("a", LlmSettings(prices=str(tmp_path / "none.yaml")))


def test_costs() -> None:
    price = find_price("gpt-4.1", PLAIN)
    assert price is not None
    # 1000 fresh at 2, 1000 cached at 0.5, 500 out at 8 dollars per million.
    assert cost_usd(price, 2000, 1000, 500, batch=False) == pytest.approx(0.0065)
    assert cost_usd(price, 2000, 1000, 500, batch=True) == pytest.approx(0.00325)
    assert cost_usd(price, 10, 99, 0, batch=False) == pytest.approx(10 * 0.5 / 1e6)
    luna = find_price("gpt-6-luna", PLAIN)
    assert luna is not None and luna.cache_write == 0.125
    assert cost_usd(luna, 1_000_000, 0, 0, batch=False) == pytest.approx(0.125)


def test_every_built_in_price_is_dated_and_sourced_and_ordered() -> None:
    for model, price in read_prices(BUILT_IN).items():
        assert price.dated is not None and price.source, model
        assert 0 < price.cached_input <= price.input < price.output, model
        assert price.dated <= datetime.date(2026, 11, 23), model
