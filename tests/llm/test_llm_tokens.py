"""Image tokens against the worked examples of OpenAI's guide and published measurements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgld.llm.image_tokens import FAMILIES, image_tokens, most_image_tokens


# "Images and vision", section "Calculating costs".
@pytest.mark.parametrize(
    ("model", "width", "height", "detail", "tokens"),
    [
        ("gpt-4o", 1024, 1024, "high", 765),
        ("gpt-4o", 2048, 4096, "high", 1105),
        ("gpt-4o", 4096, 8192, "low", 85),
        ("gpt-4o", 512, 512, "high", 255),  # never enlarged
        ("gpt-4o-mini", 1024, 1024, "high", 2833 + 4 * 5667),
        ("gpt-4o-mini", 4096, 8192, "low", 2833),
        ("gpt-5", 1024, 1024, "high", 70 + 4 * 140),
        ("o3", 1024, 1024, "high", 75 + 4 * 150),
        ("gpt-4.1-mini", 1024, 1024, "high", 1659),  # 1024 patches
        ("gpt-4.1-mini", 1800, 2400, "high", 2353),  # 1452 patches: 33 x 44
        ("gpt-4.1-nano", 1024, 1024, "high", 2520),
        ("o4-mini", 1024, 1024, "high", 1762),
    ],
)
def test_documented_examples(model: str, width: int, height: int, detail: str, tokens: int) -> None:
    assert image_tokens(model, width, height, detail) == tokens


# Measured: huggingface.co/datasets/JOHNISKING/image-token-cost.
@pytest.mark.parametrize(
    ("width", "height", "auto", "high", "auto_55"),
    [
        (256, 256, 77, 77, 77),
        (512, 512, 308, 308, 308),
        (768, 768, 692, 692, 692),
        (1024, 1024, 1229, 1229, 1229),
        (1280, 720, 1104, 1104, 1104),
        (1080, 1920, 2448, 2448, 2448),
        (2560, 1440, 4320, 2931, 4320),
        (3840, 2160, 9792, 2931, 9792),
        (4032, 3024, 14364, 2942, 11868),
    ],
)
def test_measured_sizes(width: int, height: int, auto: int, high: int, auto_55: int) -> None:
    assert image_tokens("gpt-6-astra", width, height, "auto") == auto
    assert image_tokens("gpt-6-astra", width, height, "high") == high
    assert image_tokens("gpt-5.5", width, height, "auto") == auto_55


def test_snapshots_fine_tunes_and_routed_ids_count_like_their_base() -> None:
    expected = image_tokens("gpt-4o-mini", 700, 500, "high")
    for model in (
        "gpt-4o-mini-2024-07-18",
        "ft:gpt-4o-mini-2024-07-18:org:name:abc",
        "openai/gpt-4o-mini",
    ):
        assert image_tokens(model, 700, 500, "high") == expected
    assert expected != image_tokens("gpt-4o", 700, 500, "high")


@pytest.mark.parametrize("model", ["Qwen/Qwen2.5-VL-7B-Instruct", "gpt-4o-maxi", "tiny", ""])
def test_unknown_families_are_none(model: str) -> None:
    assert image_tokens(model, 700, 500, "high") is None


SIDES = st.integers(32, 5000)


@given(
    SIDES, st.data(), st.sampled_from(sorted(FAMILIES)), st.sampled_from(["low", "high", "auto"])
)
def test_no_image_of_a_side_counts_more_than_the_most(
    side: int, data: st.DataObject, model: str, detail: str
) -> None:
    width, height = data.draw(st.integers(1, side)), data.draw(st.integers(1, side))
    counted = image_tokens(model, width, height, detail)
    assert counted is not None
    assert 1 <= counted <= most_image_tokens(model, side, detail)
    assert counted <= most_image_tokens("unknown", side, detail)
    assert counted == image_tokens(model, height, width, detail)


def test_every_family_says_what_it_rests_on() -> None:
    assert {family.evidence for family in FAMILIES.values()} == {
        "documented",
        "measured",
        "assumed",
    }
