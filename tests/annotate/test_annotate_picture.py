"""What is said of pixels: pictures whose colours, light and sky are known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mgld.annotate.picture import COLOURS, describe_picture, name_colours


def facts_of(image: Image.Image):
    return describe_picture(image, width=image.width, height=image.height)


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"),
        ((255, 255, 255), "white"),
        ((128, 128, 128), "grey"),
        ((220, 20, 20), "red"),
        ((255, 140, 0), "orange"),
        ((120, 72, 30), "brown"),
        ((250, 230, 30), "yellow"),
        ((60, 140, 40), "green"),
        ((120, 120, 50), "green"),  # grass in the sun, by hue a dark yellow
        ((90, 150, 220), "blue"),
        ((130, 50, 160), "purple"),
    ],
)
def test_colour_names(rgb: tuple[int, int, int], name: str) -> None:
    pixel = np.array([[rgb]], dtype=np.float32) / 255
    assert COLOURS[int(name_colours(pixel)[0, 0])] == name


def test_a_landscape_by_day() -> None:
    image = Image.new("RGB", (300, 200), (110, 160, 225))
    ImageDraw.Draw(image).rectangle((0, 100, 300, 200), fill=(60, 130, 40))
    facts = facts_of(image)
    assert facts.colours == ("blue", "green") or facts.colours == ("green", "blue")
    assert facts.framing == "wide" and facts.light == "daylight"
    assert facts.sky == pytest.approx(0.5, abs=0.03) and facts.sky_colour == "blue"
    assert facts.bottom == "green"


def test_blue_that_does_not_reach_the_top_edge_is_no_sky() -> None:
    image = Image.new("RGB", (200, 200), (70, 60, 40))
    ImageDraw.Draw(image).rectangle((0, 60, 200, 200), fill=(110, 160, 225))
    assert facts_of(image).sky == 0
    assert facts_of(image).sky_colour == ""


def test_night_and_format() -> None:
    facts = facts_of(Image.new("RGB", (100, 180), (8, 8, 14)))
    assert facts.light == "night" and facts.framing == "upright" and facts.sky == 0
    assert facts.colours == ("black",) and facts.contrast == "soft"
    assert facts_of(Image.new("RGB", (100, 104), "white")).framing == "square"
    assert facts_of(Image.new("RGB", (1, 1), "white")).light == "bright"
