"""ROC and precision at k: the data beside the picture, and more curves than can be told apart."""

from __future__ import annotations

import pytest

from mgld.figures import NARROW, WIDE
from mgld.figures.precision_at_k import PurityPanel, draw_precision_at_k
from mgld.figures.roc import LINES, RocCurve, draw_roc


def curve(name):
    return RocCurve(name, [0.0, 0.25, 1.0], [0.0, 0.8, 1.0], 0.81, 0.7, 0.9)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_roc_data_and_words(width):
    drawing = draw_roc({"Seen": [curve("RSR"), curve("a<b")], "Often": [curve("RSR")]}, width=width)
    rows = drawing.data.to_pylist()
    assert len(rows) == 9
    assert rows[1] == {
        "panel": "Seen", "score": "RSR", "false_rate": 0.25, "true_rate": 0.8, "area": 0.81,
        "area_low": 0.7, "area_high": 0.9,
    }  # fmt: skip
    assert "RSR 0.810" in drawing.alt
    assert "<b" not in drawing.svg()
    assert drawing.svg() == drawing.svg()


def test_seven_curves_are_refused():
    with pytest.raises(ValueError, match="more than 6"):
        draw_roc({"Seen": [curve(str(k)) for k in range(len(LINES) + 1)]})


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_precision_at_k(width):
    share = {"hds": [1.0, 0.8, 0.5], "margin": [0.9, 0.7, 0.5], "brs": [0.5, 0.5, 0.5]}
    drawing = draw_precision_at_k(
        [PurityPanel("Taught", [10, 20, 40], share, 0.5)], budgets=[20], width=width
    )
    rows = drawing.data.to_pylist()
    assert [row["precision"] for row in rows if row["rule"] == "margin"] == share["margin"]
    assert {row["chance"] for row in rows} == {0.5}
    assert "hds 80 %" in drawing.alt  # at the budget
    lines = drawing.figure.axes[0].get_lines()
    best = next(line for line in lines if line.get_label() == "best possible")
    assert list(best.get_ydata()) == [100, 100, 50]
    assert len({(line.get_color(), str(line.get_linestyle())) for line in lines[2:]}) == 3
