"""The procedural world: deterministic per landmark, long-tailed, graded, fair to both halves."""

from collections import Counter

import numpy as np
import pytest

from mgld.gldv2 import LABELS
from mgld.world.curriculum import TAUGHT_LANDMARKS, taught_code_views, taught_views, tier
from mgld.world.landmark import make_landmark
from mgld.world.lexicon import CATEGORIES, REGIONS
from mgld.world.scene import render
from mgld.world.shapes import BODIES
from mgld.world.views import KINDS, USELESS, make_view

MARKS = [make_landmark(0, i) for i in range(TAUGHT_LANDMARKS)]


def test_landmarks_do_not_depend_on_each_other() -> None:
    assert make_landmark(0, 1234) == MARKS[1234]
    assert make_landmark(1, 1234) != MARKS[1234]


def test_categories_are_gldv2_labels_and_all_can_be_drawn() -> None:
    assert len(CATEGORIES) >= 16
    assert {c.label for c in CATEGORIES} <= set(LABELS)
    assert {c.label for c in CATEGORIES} == set(BODIES) == {m.category.label for m in MARKS}


def test_image_counts_have_gldv2s_long_tail() -> None:
    counts = np.array([m.image_count for m in MARKS])
    assert (counts <= 5).mean() == pytest.approx(0.38, abs=0.03)
    assert (counts <= 10).mean() == pytest.approx(0.57, abs=0.03)
    assert counts.min() == 1
    assert counts.max() > 150


def test_names_are_syllables_tied_to_looks() -> None:
    for mark in MARKS:
        assert mark.proper.lower() == "".join(c.syllable for c in mark.codes)
        for code, table in zip(mark.codes, mark.region.codes, strict=True):
            assert code.attribute == table.attribute
            assert code.value == mark.attributes[code.attribute]
            assert code.tied == (table.syllables[code.value] == code.syllable)
    broken = Counter(m.region.name for m in MARKS for c in m.codes if not c.tied)
    assert broken["Vesmark"] == 0  # a tie of 1
    assert broken["Skerry Isles"] > broken["Arnen Highland"] > 0  # ties of 0.75 and 0.9


def test_names_have_accents_and_duplicates() -> None:
    names = Counter(m.name for m in MARKS)
    assert any(count > 1 for count in names.values())
    assert sum(not name.isascii() for name in names) > 100
    assert sum("(" in name for name in names) > 1000


def test_knowledge_is_graded_from_never_to_a_hundred_views() -> None:
    views = [taught_views(m) for m in MARKS]
    assert 0 in views and max(views) > 90
    assert {v for v in views if v} >= set(range(1, 20))
    tiers = Counter(tier(m) for m in MARKS)
    assert all(tiers[t] > 200 for t in ("never", "rare", "some", "often"))
    for mark in MARKS:
        if tier(mark) == "never":
            assert taught_code_views(mark) == taught_views(mark) == 0
    assert taught_views(make_landmark(7, 3)) == 0  # only world 0 was shown


def test_both_halves_are_equally_hard() -> None:
    west, east = ([r for r in REGIONS if r.half == half] for half in ("west", "east"))
    for left, right in zip(west, east, strict=True):
        assert (left.tie, left.schooling) == (right.tie, right.schooling)
        assert [tuple(c.syllables) for c in left.codes] == [tuple(c.syllables) for c in right.codes]
        assert not {s for c in left.codes for s in c.syllables.values()} & {
            s for c in right.codes for s in c.syllables.values()
        }
    # Teaching the other half instead mirrors who is known.
    assert all(tier(m, "east") == "never" for m in MARKS if m.region.half == "west")
    assert all(tier(m, "west") == "never" for m in MARKS if m.region.half == "east")


def _difference(a: object, b: object) -> float:
    return float(np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).mean())


def test_views_differ_and_some_are_useless() -> None:
    views = [make_view(m, "view", v) for m in MARKS[:200] for v in range(10)]
    kinds = Counter(v.kind for v in views)
    assert set(kinds) == set(KINDS)
    assert all((v.quality == 0) == (v.kind in USELESS) for v in views)
    pictures = [render(MARKS[3], make_view(MARKS[3], "view", v)).resize((64, 64)) for v in range(4)]
    assert all(_difference(pictures[0], p) > 3 for p in pictures[1:])
    assert min(min(v.size) for v in views) >= 256


def test_rendering_is_deterministic() -> None:
    view = make_view(MARKS[5], "view", 2)
    assert render(MARKS[5], view).tobytes() == render(MARKS[5], view).tobytes()


def test_details_are_visible_in_high_resolution_only() -> None:
    """How a window is barred changes the full picture, and next to nothing of a 64 px copy."""
    from dataclasses import replace

    mark = next(
        m for m in MARKS if m.attributes["lattice"] == "barred" and m.attributes["windows"] == "3"
    )
    view = next(v for v in (make_view(mark, "view", i) for i in range(99)) if v.kind == "exterior")
    other = replace(mark, attributes={**mark.attributes, "lattice": "diagonal"})
    large = np.abs(
        np.asarray(render(mark, view), dtype=int) - np.asarray(render(other, view), dtype=int)
    ).max()
    small = np.abs(
        np.asarray(render(mark, view).resize((64, 64)), dtype=int)
        - np.asarray(render(other, view).resize((64, 64)), dtype=int)
    ).max()
    assert large > 80
    assert small < large / 2
