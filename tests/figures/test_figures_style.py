"""The palette: categories can be told apart by any eye, and by their markers alone."""

from __future__ import annotations

import warnings

import pytest
from cvd import contrast, nearest

from mgld.figures.axes import new_figure
from mgld.figures.style import CATEGORY_MARKS, DARK, METHOD_COLOUR, METHOD_MARK, SURFACE, style


def test_colours_of_categories_differ_for_every_eye():
    colours = [colour for colour, _ in CATEGORY_MARKS]
    assert nearest(colours) > 14
    # what the distance is worth: two colours that red-green-blind eyes do confuse
    assert nearest(["#b5648f", "#84909c"]) < 6


def test_every_category_and_method_has_a_marker_of_its_own():
    assert len({marker for _, marker in CATEGORY_MARKS}) == len(CATEGORY_MARKS) == 8
    assert len(set(METHOD_MARK.values())) == len(METHOD_COLOUR)


@pytest.mark.parametrize("ground", [SURFACE, DARK[SURFACE]])
def test_colours_show_on_light_and_dark(ground):
    assert min(contrast(colour, ground) for colour, _ in CATEGORY_MARKS) > 2


def test_letters_that_the_font_has_not_are_no_warning():
    with warnings.catch_warnings(), style():
        warnings.simplefilter("error", append=True)
        figure = new_figure(2, 1)
        figure.subplots().set_title("善光寺")
        figure.canvas.draw()
