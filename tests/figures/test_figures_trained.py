"""Figures 5 and 7: means, intervals and gains of the CSV, computed again by hand."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from mgld.figures import NARROW, WIDE, draw_data_size, draw_robustness, seed_mean

RUNS = [
    # size, selection, seed, accuracy
    (300, "hds", 0, 0.16), (300, "hds", 1, 0.15), (300, "hds", 2, 0.19),
    (600, "hds", 0, 0.24), (600, "hds", 1, 0.25), (600, "hds", 2, 0.24),
    (300, "brs", 0, 0.10), (300, "brs", 1, 0.11), (300, "brs", 2, 0.12),
    (300, "EECA", 0, 0.26),
]  # fmt: skip
BASELINE = {0: 0.08, 1: 0.10, 2: 0.0}


def columns(runs):
    return [list(column) for column in zip(*runs, strict=True)]


def test_the_interval_is_students():
    mean, low, high, seeds = seed_mean([0.16, 0.15, 0.19])
    # 97.5 % quantile of t with 2 degrees of freedom, from a printed table
    half = 4.303 * math.sqrt(((0.16 - mean) ** 2 + (0.15 - mean) ** 2 + (0.19 - mean) ** 2) / 2 / 3)
    assert mean == pytest.approx(0.5 / 3)
    assert (low, high) == (pytest.approx(mean - half, rel=1e-3), pytest.approx(mean + half, 1e-3))
    assert seeds == 3


def test_one_seed_has_no_interval_and_none_no_mean():
    assert seed_mean([0.2]) == (0.2, None, None, 1)
    with pytest.raises(ValueError, match="no run"):
        seed_mean([])


def test_t_intervals_hold_the_mean_as_often_as_they_say():
    random = np.random.default_rng(0)
    held = [
        low <= 0.3 <= high
        for _, low, high, _ in (seed_mean(random.normal(0.3, 0.02, 3)) for _ in range(2000))
    ]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


def test_data_size_has_the_mean_of_each_selection_and_size():
    drawing = draw_data_size(*columns(RUNS), baseline=BASELINE)
    rows = {(row["selection"], row["size"]): row for row in drawing.data.to_pylist()}
    assert list(rows) == [
        ("baseline", 0), ("hds", 300), ("hds", 600), ("brs", 300), ("EECA", 300),
    ]  # fmt: skip
    for (name, size), row in rows.items():
        values = [a for k, of, _, a in RUNS if (of, k) == (name, size)] or list(BASELINE.values())
        assert row["accuracy"] == pytest.approx(np.mean(values))
        assert row["accuracy_seeds"] == len(values)
        assert (row["accuracy_low"] is None) == (len(values) == 1)
    assert "hds 600 24.3" in drawing.alt
    assert "baseline 6.0" in drawing.alt


def test_a_gain_is_over_the_baseline_of_the_same_seed():
    rows = draw_data_size(*columns(RUNS), baseline=BASELINE).data.to_pylist()
    hds = next(row for row in rows if (row["selection"], row["size"]) == ("hds", 300))
    # seed 2 has a baseline of 0, and counts: means are compared, not ratios
    assert hds["gain_seeds"] == 3
    assert hds["gain"] == pytest.approx((0.16 + 0.15 + 0.19) / (0.08 + 0.10) - 1)
    assert hds["gain_low"] < hds["gain"] < hds["gain_high"]
    one = draw_data_size(*columns(RUNS), baseline={0: 0.08}).data.to_pylist()
    row = next(each for each in one if (each["selection"], each["size"]) == ("hds", 300))
    assert (row["gain_seeds"], row["gain"]) == (1, pytest.approx(0.16 / 0.08 - 1))
    none = draw_data_size(*columns(RUNS), baseline={2: 0.0}).data.to_pylist()
    assert all(row["gain"] is None for row in none)
    assert rows[0]["selection"] == "baseline"
    assert rows[0]["gain"] is None


def test_without_a_baseline_there_is_one_panel():
    assert len(draw_data_size(*columns(RUNS)).figure.axes) == 1
    both = draw_data_size(*columns(RUNS), baseline=BASELINE)
    assert len(both.figure.axes) == 2


def test_the_order_of_the_runs_changes_nothing():
    first = draw_data_size(*columns(RUNS), baseline=BASELINE)
    again = draw_data_size(*columns(RUNS[::-1]), baseline=BASELINE)
    assert first.data.drop_columns(["accuracy_low", "accuracy_high"]).to_pylist() == [
        pytest.approx(row)
        for row in again.data.drop_columns(["accuracy_low", "accuracy_high"]).to_pylist()
    ]
    assert first.svg() == draw_data_size(*columns(RUNS), baseline=BASELINE).svg()


def test_lines_are_methods_and_points_the_rest():
    axis = draw_data_size(*columns(RUNS), baseline=BASELINE).figure.axes[0]
    kinds = {line.get_label(): line.get_linestyle() for line in axis.lines}
    assert kinds["HDS"] == "-"
    assert kinds["BRS"] != "None"
    assert kinds["EECA"] == "None"
    assert kinds["baseline"] != "None"


ROBUSTNESS = [
    ("mu_e", 7.32, 0, 0.15), ("mu_e", 7.32, 1, 0.16),
    ("mu_e", 1.0, 0, 0.14), ("mu_e", 1.0, 1, 0.13),
    ("theta", 0.5, 0, 0.15), ("theta", 0.0, 0, 0.12), ("hr_tokens", 128, 0, 0.15),
]  # fmt: skip
DEFAULTS = {"mu_e": 7.32, "theta": 0.5, "hr_tokens": 128}


def test_robustness_has_a_panel_a_setting_with_its_default_marked():
    drawing = draw_robustness(*columns(ROBUSTNESS), defaults=DEFAULTS)
    rows = drawing.data.to_pylist()
    assert [(row["setting"], row["value"], row["default"], row["seeds"]) for row in rows] == [
        ("mu_e", 1.0, False, 2), ("mu_e", 7.32, True, 2), ("theta", 0.0, False, 1),
        ("theta", 0.5, True, 1), ("hr_tokens", 128, True, 1),
    ]  # fmt: skip
    assert rows[0]["accuracy"] == pytest.approx(0.135)
    assert rows[1]["accuracy_low"] == pytest.approx(0.155 - 12.706 * 0.005, rel=1e-3)
    assert rows[2]["accuracy_low"] is None
    axes = drawing.figure.axes
    assert [axis.get_xlabel() for axis in axes] == ["μₑ", "θ", "high-resolution tokens"]
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ["1", "7.32"]
    # the default's ground is a patch; nothing else is
    assert [len(axis.patches) for axis in axes] == [1, 1, 1]
    assert "7.32 (default) 15.5" in drawing.alt


def test_a_default_that_was_not_run_is_marked_nowhere():
    drawing = draw_robustness(["theta"], [0.1], [0], [0.2], defaults={"theta": 0.5})
    assert drawing.data["default"].to_pylist() == [False]
    assert not drawing.figure.axes[0].patches
    assert not drawing.figure.legends


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nothing_to_show_is_an_empty_table_and_no_error(width):
    for drawing in (
        draw_data_size([], [], [], [], width=width),
        draw_robustness([], [], [], [], defaults={}, width=width),
    ):
        assert drawing.data.num_rows == 0
        assert drawing.svg()


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="zip"):
        draw_data_size([300], ["hds", "brs"], [0], [0.1])
    with pytest.raises(ValueError, match="zip"):
        draw_robustness(["theta"], [0.5, 0.1], [0], [0.1], defaults={})


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_files_hold_what_is_drawn(width, tmp_path):
    for drawing in (
        draw_data_size(*columns(RUNS), baseline=BASELINE, width=width),
        draw_robustness(*columns(ROBUSTNESS), defaults=DEFAULTS, width=width),
    ):
        paths = drawing.save(tmp_path)
        assert [path.suffix for path in paths] == [".svg", ".png", ".csv"]
        with paths[2].open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle))
        assert [float(row["accuracy"]) for row in rows] == drawing.data["accuracy"].to_pylist()
