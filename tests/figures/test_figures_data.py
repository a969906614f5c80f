"""The tables behind the figures: right, complete, and without a hole."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from mgld.figures import (
    NARROW,
    category_table,
    draw_categories,
    draw_exposure,
    draw_images_per_landmark,
    draw_known_unknown,
    draw_sim_rsr,
    rank_auc,
)
from mgld.figures.axes import rank_ticks, rsr_text

NAMES = 500


@pytest.fixture(scope="module")
def world():
    """400 records whose rank falls with exposure."""
    random = np.random.default_rng(1)
    exposure = np.repeat([0, 1, 5, 40], 100)
    center = np.repeat([2.3, 1.6, 0.9, 0.1], 100)
    rank = np.clip(10 ** (center + random.normal(0, 0.3, 400)), 1, NAMES).astype(np.int64)
    tier = np.repeat(["never", "rare", "some", "often"], 100).tolist()
    return exposure, rank, tier


def no_holes(table):
    """No NaN anywhere, and no null but where a column says so."""
    for name in table.column_names:
        values = [value for value in table[name].to_pylist() if isinstance(value, float)]
        assert not np.isnan(values).any(), name
        if name != "auc_against_never":
            assert table[name].null_count == 0, name


def test_images_per_landmark_counts_every_landmark_once():
    counts = np.array([0, 0, 1, 3, 5, 5, 6, 10, 11, 700, 5000])
    drawing = draw_images_per_landmark(counts)
    no_holes(drawing.data)
    rows = {row["images"]: row["landmarks"] for row in drawing.data.to_pylist()}
    assert sum(rows.values()) == len(counts)
    assert rows["0"] == 2
    assert rows["6–10"] == 2
    assert rows["501–1000"] == 1
    assert rows["1,001+"] == 1
    assert drawing.data["cumulative_share"].to_pylist()[-1] == pytest.approx(1)
    # 6 of 11 have at most 5 images, 8 of 11 at most 10
    assert "55 % have at most 5" in drawing.alt
    assert "73 % at most 10" in drawing.alt


@pytest.mark.parametrize("counts", [[], [0], [1], [7, 7]])
def test_images_per_landmark_of_tiny_sources(counts):
    drawing = draw_images_per_landmark(np.array(counts, dtype=np.int64))
    no_holes(drawing.data)
    assert sum(drawing.data["landmarks"].to_pylist()) == len(counts)


def test_categories_add_up_to_every_subset_and_keep_the_rest():
    labels = ["church"] * 5 + ["lake"] * 3 + ["mill"] * 2 + [None, "tower"]
    masks = {"hds": np.arange(12) < 6, "lcs": np.arange(12) >= 9}
    table = category_table(labels, masks, top=3)
    rows = ["church", "lake", "mill", "(all others)", "(no label)"]
    assert table["hierarchical_label"].to_pylist() == rows
    assert table["all"].to_pylist() == [5, 3, 2, 1, 1]
    assert table["hds"].to_pylist() == [5, 1, 0, 0, 0]
    assert table["lcs"].to_pylist() == [0, 0, 1, 1, 1]


def test_categories_ties_are_broken_by_name_and_no_label_is_last_however_frequent():
    table = category_table([None, "b", "a", None], {}, top=14)
    assert table["hierarchical_label"].to_pylist() == ["a", "b", "(no label)"]
    assert table["all"].to_pylist() == [1, 1, 2]
    nothing = category_table([None, None], {}, top=14)
    assert nothing.to_pydict() == {"hierarchical_label": ["(no label)"], "all": [2]}


def test_only_the_bar_of_those_without_a_label_is_grey():
    labels = [None, None, "(no label)", "mill"]
    drawing = draw_categories(labels, {"hds": np.ones(4, dtype=bool)})
    assert drawing.data["hierarchical_label"].to_pylist() == ["(no label)", "mill", "(no label)"]
    colours = [bar.get_facecolor() for bar in drawing.figure.axes[0].patches]
    assert colours[0] == colours[1] != colours[2]


def test_narrow_drawings_write_few_upright_large_labels(world):
    exposure, rank, _ = world
    narrow = [
        draw_exposure(rank, {"codes": exposure * 50}, NAMES, width=NARROW),
        draw_images_per_landmark(np.array([1, 2, 3, 7, 15, 30, 80, 150, 700, 5000]), width=NARROW),
    ]
    for drawing in narrow:
        axis = drawing.figure.axes[0]
        labels = [*axis.get_xticklabels(), *axis.get_yticklabels()]
        assert len(labels) >= 5
        assert {label.get_rotation() for label in labels} == {0}
        assert min(label.get_fontsize() for label in labels) >= 10
    assert [label.get_text() for label in narrow[0].figure.axes[0].get_xticklabels()] == [
        "0", "16", "64", "256+",
    ]  # fmt: skip
    shown = "".join(ElementTree.fromstring(narrow[1].svg()).itertext())
    assert "30 % have at most 5 images" in shown
    assert "40 % have at most 10 images" in shown


def test_auc_is_the_share_of_pairs_won_with_ties_half():
    random = np.random.default_rng(0)
    better, worse = random.integers(1, 30, 40), random.integers(5, 60, 30)
    pairs = [(b < w) + 0.5 * (b == w) for b in better for w in worse]
    assert rank_auc(better, worse) == pytest.approx(np.mean(pairs))


def test_known_unknown_table(world):
    _, rank, tier = world
    drawing = draw_known_unknown(rank, tier, NAMES)
    no_holes(drawing.data)
    rows = {row["tier"]: row for row in drawing.data.to_pylist()}
    assert [row["landmarks"] for row in rows.values()] == [100] * 4
    assert rows["often"]["share_first_1"] == np.mean(rank[300:] == 1)
    assert rows["never"]["share_first_100"] == np.mean(rank[:100] <= 100)
    assert rows["never"]["auc_against_never"] is None
    assert rows["often"]["auc_against_never"] > rows["rare"]["auc_against_never"] > 0.5


def test_known_unknown_of_a_world_where_nothing_is_untaught():
    drawing = draw_known_unknown(np.array([1, 2, 9]), ["some"] * 3, 9)
    assert drawing.data.to_pylist()[0]["auc_against_never"] is None


def test_exposure_bins_hold_every_record_once_per_panel(world):
    exposure, rank, _ = world
    drawing = draw_exposure(rank, {"views": exposure, "codes": exposure * 50}, NAMES)
    no_holes(drawing.data)
    rows = drawing.data.to_pylist()
    for panel in ("views", "codes"):
        assert sum(row["landmarks"] for row in rows if row["exposure"] == panel) == len(rank)
    views = [row for row in rows if row["exposure"] == "views"]
    assert [row["bin"] for row in views] == ["0", "1–3", "4–15", "16–63"]
    assert views[0]["median_rank"] == np.median(rank[:100])
    assert rows[-1]["bin"] == "256+"


def test_sim_rsr_keeps_every_record_and_its_subset():
    rank = np.array([1, 2, 11])
    masks = {"hds": np.array([True, True, False]), "lcs": np.array([False, False, True])}
    drawing = draw_sim_rsr(np.array([7, 8, 9]), np.array([0.5, 0.4, 0.1]), rank, 11, masks)
    no_holes(drawing.data)
    assert drawing.data["rsr"].to_pylist() == pytest.approx([1.0, 0.9, 0.0])
    assert drawing.data["hds"].to_pylist() == [True, True, False]
    assert drawing.data.column_names == ["landmark_id", "sim", "rank", "rsr", "hds", "lcs"]


@pytest.mark.parametrize("names", [1, 2, 9, 11, 100, 987, 203_000])
def test_rank_ticks_run_from_first_to_last_name(names):
    ticks = rank_ticks(names)
    assert ticks[0] == 1
    assert ticks[-1] == names
    assert ticks == sorted(set(ticks))


def test_rsr_text_never_rounds_up_to_perfect():
    assert rsr_text(1, 203_000) == "1"
    assert rsr_text(203_000, 203_000) == "0"
    for rank in (2, 3, 10, 101, 5000):
        text = rsr_text(rank, 203_000)
        assert float(text) < 1
        assert float(text) <= 1 - (rank - 1) / 202_999 < float(text) + 10.0 ** -(len(text) - 2)


def test_figures_of_one_record_can_be_drawn():
    one = np.array([1])
    assert draw_sim_rsr(one, np.array([0.3]), one, 1, {}).svg()
    assert draw_known_unknown(one, ["never"], 1).svg()
    assert draw_exposure(one, {"views": one}, 1).svg()
    assert draw_categories(["church"], {"hds": np.array([True])}).svg()
