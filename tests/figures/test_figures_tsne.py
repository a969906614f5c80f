"""The map: which records are on it, that it is repeatable, and what its panels and CSV hold."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from mgld.figures import NARROW, WIDE, draw_dispersion, draw_tsne, tsne_map, tsne_sample
from mgld.figures.style import CATEGORY_MARKS, METHODS
from mgld.scoring import measure_dispersion


@pytest.fixture(scope="module")
def cloud():
    """90 records of 10 categories in 2 distant groups, and four subsets."""
    random = np.random.default_rng(0)
    label = [f"kind {k % 10}" if k % 10 else None for k in range(90)]
    far = np.repeat(np.eye(6)[:2], 45, axis=0)
    vectors = far + 0.15 * random.normal(size=(90, 6))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    subsets = {}
    for method in METHODS:
        subsets[method] = np.zeros(90, dtype=bool)
        subsets[method][random.choice(90, 30, replace=False)] = True
    return np.arange(100, 190), vectors, label, subsets


def test_two_maps_of_the_same_vectors_are_equal(cloud):
    _, vectors, _, _ = cloud
    assert np.array_equal(tsne_map(vectors), tsne_map(vectors))


def test_a_map_keeps_neighbours(cloud):
    """The nearest on the map of almost every record is of its own group."""
    _, vectors, _, _ = cloud
    position = tsne_map(vectors)
    distance = np.linalg.norm(position[:, None] - position[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    group = np.arange(90) // 45
    assert np.mean(group[distance.argmin(1)] == group) > 0.95


def test_too_few_records_are_refused():
    with pytest.raises(ValueError, match="at least 5 records, and there are 4"):
        tsne_map(np.eye(4, dtype=np.float32))
    assert tsne_map(np.eye(5, dtype=np.float32)).shape == (5, 2)


def test_a_sample_has_enough_records_of_every_subset_by_their_hash(cloud):
    ids, _, _, subsets = cloud
    sample = tsne_sample(ids, subsets, most=10)
    assert all((sample & mask).sum() >= 10 for mask in subsets.values())
    one = tsne_sample(ids, {"hds": subsets["hds"]}, most=10)
    assert one.sum() == 10
    assert not (one & ~subsets["hds"]).any()
    # nested, and not by place
    more = tsne_sample(ids, {"hds": subsets["hds"]}, most=20)
    assert (more | ~one).all()
    assert not np.array_equal(np.flatnonzero(one), np.flatnonzero(subsets["hds"])[:10])
    everything = tsne_sample(ids, subsets)
    assert np.array_equal(everything, np.any(list(subsets.values()), axis=0))


def test_the_table_has_every_record_and_the_frequent_categories_by_name(cloud):
    ids, vectors, label, subsets = cloud
    drawing = draw_tsne(ids, vectors[:, :2].astype(np.float64), label, subsets)
    rows = drawing.data.to_pylist()
    assert [row["landmark_id"] for row in rows] == ids.tolist()
    assert [row["category"] for row in rows] == label
    # nine categories of nine records each: by name, the last of them has no colour
    major = {f"kind {k}" for k in range(1, 9)}
    assert {row["shown_as"] for row in rows} == {*major, "(other)"}
    assert all(row["shown_as"] == row["category"] for row in rows if row["category"] in major)
    for method, mask in subsets.items():
        assert [row[method] for row in rows] == mask.tolist()
    assert rows[7]["x"] == pytest.approx(float(vectors[7, 0]))
    assert "kind 1 9" in drawing.alt
    assert "other 18" in drawing.alt


def test_a_panel_shows_its_subset_by_category_on_the_others(cloud):
    ids, vectors, label, subsets = cloud
    drawing = draw_tsne(ids, vectors[:, :2].astype(np.float64), label, subsets)
    for axis, method in zip(drawing.figure.axes, METHODS, strict=True):
        ground, other, *kinds = axis.collections
        assert len(ground.get_offsets()) == 60
        assert len(kinds) == len(CATEGORY_MARKS)
        assert len(other.get_offsets()) + sum(len(k.get_offsets()) for k in kinds) == 30
        assert method.upper() in axis.get_title(loc="left")
        assert "30" in axis.get_title(loc="left")


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_map_and_dispersion_are_files(cloud, width, tmp_path):
    ids, vectors, label, subsets = cloud
    measured = measure_dispersion(vectors, label, subsets, draws=20)
    place = vectors[:, :2].astype(np.float64)
    for draw in (
        lambda: draw_tsne(ids, place, label, subsets, width=width),
        lambda: draw_dispersion(measured, width=width),
    ):
        drawing = draw()
        paths = drawing.save(tmp_path)
        assert drawing.figure.get_size_inches()[0] == width
        with paths[2].open(encoding="utf-8", newline="") as handle:
            assert len(list(csv.DictReader(handle))) == drawing.data.num_rows
        first = [path.read_bytes() for path in paths]
        assert [path.read_bytes() for path in draw().save(tmp_path)] == first


def test_the_dispersion_table_is_what_was_measured(cloud):
    _, vectors, label, subsets = cloud
    measured = measure_dispersion(vectors, label, subsets, draws=20)
    rows = draw_dispersion(measured).data.to_pylist()
    assert len(rows) == 20
    for row, each in zip(rows, measured, strict=True):
        assert (row["subset"], row["measure"], row["value"]) == (
            each.subset, each.measure, each.value,
        )  # fmt: skip
        assert row["random_low"] == each.random.low
        assert row["random_p"] == each.random.p
        same = each.same_categories
        assert row["same_categories_high"] == (same and same.high)


def test_the_dispersion_of_each_subset_stands_in_its_line(cloud):
    _, vectors, label, subsets = cloud
    measured = measure_dispersion(vectors, label, subsets, draws=20)
    axis = draw_dispersion(measured).figure.axes[0]
    points = [line for line in axis.lines if line.get_zorder() == 5]
    values = {each.subset: each.value for each in measured if each.measure == "within"}
    assert [(line.get_ydata()[0], line.get_xdata()[0]) for line in points] == [
        (k, values[method]) for k, method in enumerate(METHODS)
    ]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nothing_and_one_category_can_be_drawn(width):
    none = np.empty((0, 2))
    empty = draw_tsne(np.empty(0, np.int64), none, [], {"hds": np.empty(0, bool)}, width=width)
    assert empty.data.num_rows == 0
    assert empty.svg()
    one = {"hds": np.ones(3, dtype=bool)}
    assert draw_tsne(np.arange(3), np.eye(3)[:, :2], ["mill"] * 3, one, width=width).svg()
    measured = measure_dispersion(np.eye(3, dtype=np.float32), ["mill"] * 3, one, draws=3)
    drawing = draw_dispersion(measured, width=width)
    assert drawing.svg()
    assert drawing.data["value"].null_count == 4
    assert "HDS none" in drawing.alt
    assert draw_dispersion([], width=width).svg()
