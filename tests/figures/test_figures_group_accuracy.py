"""Accuracy by group: the data beside the picture, and what is refused."""

from __future__ import annotations

import pytest

from mgld.figures import NARROW, WIDE
from mgld.figures.group_accuracy import GroupShare, draw_group_accuracy
from mgld.figures.style import METHOD_COLOUR

GROUPS = [("never", 300), ("often", 120)]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_data_marks_and_words(width):
    models = {
        "baseline": [GroupShare(0.1, 0.08, 0.13), None],
        "HDS-50k": [GroupShare(0.02, 0.0, 0.04), GroupShare(0.6, 0.5, 0.7)],
    }
    drawing = draw_group_accuracy(GROUPS, models, title="By teaching", over="taught", width=width)
    rows = drawing.data.to_pylist()
    assert [(row["model"], row["group"]) for row in rows] == [
        ("baseline", "never"), ("HDS-50k", "never"), ("HDS-50k", "often"),
    ]  # fmt: skip
    assert rows[-1] | {"accuracy": 0.6, "accuracy_low": 0.5, "landmarks": 120} == rows[-1]
    assert "HDS-50k: never 2.0, often 60.0" in drawing.alt
    assert "baseline: never 10.0, often none" in drawing.alt
    (line,) = (x for x in drawing.figure.axes[0].get_lines() if x.get_label() == "HDS-50k")
    assert line.get_color() == METHOD_COLOUR["hds"]
    assert list(line.get_ydata()) == [2, 60]


def test_what_cannot_be_drawn_is_refused():
    one = GroupShare(0.1, 0.0, 0.2)
    with pytest.raises(ValueError, match="1 shares of 2 groups"):
        draw_group_accuracy(GROUPS, {"HDS": [one]}, title="", over="")
    with pytest.raises(ValueError, match="more than 3 models"):
        draw_group_accuracy(GROUPS, {name: [one, one] for name in "abcd"}, title="", over="")
