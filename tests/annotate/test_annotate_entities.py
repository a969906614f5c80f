"""What may be an entity of a landmark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgld.annotate.entities import (
    MAX_ENTITIES,
    choose_entities,
    is_generic,
    is_kind,
    restates_name,
)
from mgld.annotate.wording import fold


@pytest.mark.parametrize(
    ("phrase", "name", "restates"),
    [
        ("Eiffel Tower", "Eiffel Tower", True),
        ("the EIFFEL tower by night", "Eiffel Tower", True),
        ("Eiffel", "Eiffel Tower", True),
        ("tower", "Eiffel Tower", False),
        ("iron lattice structure", "Eiffel Tower", False),
        ("Washington", "Lake Washington", True),
        ("lake", "Lake Washington", False),
        ("chateau of Schoeneck", "Château de Schœneck", True),
        ("abbey of varn", "Abbey of Varn (Solmere)", True),
        ("setting in Solmere", "Abbey of Varn (Solmere)", False),
        ("blue walls", "Blue Mosque", True),
        ("white dome", "Blue Mosque", False),
        ("grey sky", "", False),
    ],
)
def test_restating_the_name(phrase: str, name: str, restates: bool) -> None:
    assert restates_name(phrase, name) is restates


def test_an_alias_is_a_name_too_unless_it_says_a_kind() -> None:
    assert restates_name("Terdanmas walls", "Gesgard Castle", ["Terdanmas"])
    assert not restates_name("castle walls", "Gesgard Castle", ["The Castle"])


def test_generic_and_kind() -> None:
    assert is_generic("a historic building") and is_generic("The View")
    assert not is_generic("brick building")
    assert is_kind("railway station") and is_kind("Castle") and not is_kind("castle walls")


def test_choice_drops_repeats_generics_and_names() -> None:
    candidates = [
        "Blue walls",
        "blue  WALLS",
        "blüe walls",
        "building",
        "Varn",
        "",
        "!",
        "grey roof",
    ]
    assert choose_entities(candidates, name="Abbey of Varn") == ["Blue walls", "grey roof"]


@given(st.lists(st.text(max_size=12), max_size=30), st.text(max_size=12))
def test_choice_keeps_its_rules_for_any_text(candidates: list[str], name: str) -> None:
    chosen = choose_entities(candidates, name=name)
    folds = [fold(each) for each in chosen]
    assert len(chosen) <= MAX_ENTITIES
    assert len(set(folds)) == len(folds) and all(folds)
    assert not any(is_generic(each) or restates_name(each, name) for each in chosen)
    assert {fold(each) for each in candidates} >= set(folds)
