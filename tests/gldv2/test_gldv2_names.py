import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgld.gldv2 import LABEL_KIND, LABELS, landmark_name

BASE = "http://commons.wikimedia.org/wiki/Category:"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (BASE + "Mount_Si", "Mount Si"),
        ("https://commons.m.wikimedia.org/wiki/Category:Mount_Si", "Mount Si"),
        (
            BASE + "Sun_Lakes_%E2%80%94_Dry_Falls_State_Park",
            "Sun Lakes — Dry Falls State Park",
        ),
        (BASE + "Yesler_Terrace,_Seattle,_Washington", "Yesler Terrace, Seattle, Washington"),
        (BASE + "_Trimmed__", "Trimmed"),
        (BASE + "A%20B%5FC", "A B C"),
        (BASE + "Who_is_there%3F", "Who is there?"),
        (BASE + "What?_A_museum", "What? A museum"),
        (BASE + "Track_#9", "Track #9"),
        (BASE + "Cafe%CC%81", "Café"),  # NFD in, NFC out
        (BASE + "C++_Tower", "C++ Tower"),
        (BASE + "100%_House", "100% House"),
        (BASE + "Caf%E9", "Caf%E9"),  # latin-1: no UTF-8, kept as written
        (BASE + "Caf%25E9", "Caf%E9"),  # the same name, spelt out
        (BASE + "50%25_Bridge", "50% Bridge"),
        (BASE + "Zürich", "Zürich"),
        (BASE + "A/wiki/Category:B", "A/wiki/Category:B"),
    ],
)
def test_name_is_what_follows_the_category(url: str, name: str) -> None:
    assert landmark_name(url) == name


@pytest.mark.parametrize(
    "url",
    ["", "Mount Si", BASE, BASE + "___", BASE + "%20", "http://commons.wikimedia.org/wiki/File:A"],
)
def test_nothing_to_name_is_an_error(url: str) -> None:
    with pytest.raises(ValueError, match="category address"):
        landmark_name(url)


@given(st.text(min_size=1).filter(lambda t: t.replace("_", " ").strip()))
def test_any_name_survives_its_encoding(text: str) -> None:
    expected = unicodedata.normalize("NFC", text.replace("_", " ").strip())
    assert landmark_name(BASE + quote(text)) == expected


def test_labels_are_gldv2s_78() -> None:
    assert len(LABELS) == len(set(LABELS)) == 78
    assert list(LABELS) == sorted(LABELS)
    assert all(label == label.strip() for label in LABELS)
    assert "ocean area" in LABELS
    assert LABEL_KIND["church"] == "human-made"
    assert LABEL_KIND["mountain"] == "natural"
    assert set(LABEL_KIND.values()) == {"natural", "human-made"}
