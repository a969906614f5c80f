"""The calibration set is what its README says."""

from __future__ import annotations

import re
from collections import Counter
from importlib.resources import files

import pytest
from pydantic import ValidationError

from mgld.evaluate.calibration import KINDS, AnswerSet, load_sets, sets, sets_sha256
from mgld.evaluate.judges.shown import show
from mgld.evaluate.records import LEVELS

README = (files("mgld.evaluate.calibration") / "README.md").read_text(encoding="utf-8")


def test_size_and_balance() -> None:
    levels = Counter(each.level for each in load_sets())
    assert sum(levels.values()) >= 120
    assert set(levels) == set(LEVELS)
    assert min(levels.values()) >= 25
    assert max(levels.values()) <= 50
    assert int(re.search(r"(\d+) sets of five answers", README)[1]) == len(load_sets())


def test_every_hard_kind_is_there_and_explained() -> None:
    kinds = Counter(kind for each in load_sets() for kind in each.kinds)
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) >= 4
    assert all(f"`{kind}`" in README for kind in KINDS)
    for kind in (
        "name_among_wrong", "place_only", "namesake", "language", "refusal", "empty", "instruction"
    ):  # fmt: skip
        assert kinds[kind] >= 5, kind


def test_the_readme_says_whose_labels_these_are() -> None:
    assert "The labels are ours" in README
    assert "One author" in README


def test_sets_are_whole() -> None:
    seen: dict[tuple[str, ...], str] = {}
    for each in load_sets():
        assert re.fullmatch(r"[a-z0-9-]+", each.id)
        assert each.why.endswith(".")
        assert len(each.kinds) == len(set(each.kinds))
        assert each.truth.place_hints
        assert seen.setdefault(tuple(each.answers), each.id) == each.id
        case = each.case()
        assert [answer.text for answer in case.answers] == each.answers
        show(case)  # five draws, each once: what every judge asks for


def test_sets_of_one_landmark_share_their_truth_and_cluster() -> None:
    truths = {each.truth.name: each.truth for each in load_sets()}
    assert all(truths[each.truth.name] == each.truth for each in load_sets())
    clusters = {each.case().question.landmark_id for each in load_sets()}
    assert len(clusters) == len(truths)
    assert len(truths) >= 60


def test_only_a_level_that_answers_can_bear() -> None:
    """What can be told without a judge: an empty set is unknown, and names are not invented."""
    for each in load_sets():
        if not any(answer.strip() for answer in each.answers):
            assert each.level == "unknown", each.id


def test_a_set_with_other_fields_is_refused() -> None:
    good = load_sets()[0].model_dump()
    for change in ({"level": "unscored"}, {"answers": ["one"]}, {"kinds": ["odd"]}, {"odd": 1}):
        with pytest.raises(ValidationError):
            AnswerSet.model_validate(good | change)


def test_an_id_twice_is_refused(monkeypatch) -> None:
    texts = sets._texts()
    sets.load_sets.cache_clear()
    monkeypatch.setattr(sets, "_texts", lambda: (texts[0], texts[0]))
    with pytest.raises(ValueError, match="same id: "):
        load_sets()
    monkeypatch.undo()
    sets.load_sets.cache_clear()
    assert load_sets()


def test_the_hash_is_of_the_files() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", sets_sha256())
