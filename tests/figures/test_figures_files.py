"""Figures as files: SVG that follows the theme and keeps to itself, PNG, CSV."""

from __future__ import annotations

import csv
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from mgld.figures import NARROW, WIDE, draw_categories, draw_images_per_landmark, draw_sim_rsr
from mgld.figures.style import THEME

HOSTILE = ["</text><script>alert(1)</script>", "$\\frac{1", 'a"b&c', "bell\x07", "замок É"]


def categories(width=WIDE):
    return draw_categories(HOSTILE, {"hds": np.ones(5, dtype=bool)}, width=width)


def test_svg_colours_of_the_page_are_variables():
    text = draw_images_per_landmark(np.array([1, 2, 3])).svg()
    for colour, variable in THEME.items():
        # every occurrence is the fallback of its variable
        assert text.count(colour) == text.count(f"var({variable}, {colour})")
    assert "var(--ink" in text
    assert "var(--muted" in text


def test_inline_svg_leaks_nothing_into_the_page():
    text = draw_images_per_landmark(np.array([1, 2, 3])).svg()
    assert "<style" not in text
    assert "<metadata" not in text
    assert "http://" not in text
    root = ElementTree.fromstring(text)
    assert root.get("role") == "img"
    assert "at most 5" in root.get("aria-label")


def test_ids_of_two_figures_in_one_page_do_not_meet():
    drawing = categories()
    texts = [drawing.svg(prefix=prefix) for prefix in ("left", "right")]
    ids = [re.findall(r'\bid="([^"]+)"', text) for text in texts]
    assert len(set(ids[0] + ids[1])) == len(ids[0]) + len(ids[1]) > 2
    targets = re.findall(r'(?:url\(|href=")#([^)"]+)', texts[0])
    assert targets
    assert set(targets) <= set(ids[0])


def test_points_are_pixels_inside_the_svg():
    count = 5000
    random = np.random.default_rng(0)
    drawing = draw_sim_rsr(
        np.arange(count), random.random(count), random.integers(1, count, count), count,
        {"hds": random.random(count) < 0.2},
    )  # fmt: skip
    text = drawing.svg()
    assert "data:image/png;base64," in text
    assert len(text) < 1_000_000


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_hostile_labels_stay_text(width):
    text = categories(width).svg(standalone=True)
    assert "<script" not in text
    root = ElementTree.fromstring(text)
    shown = "".join(root.itertext())
    assert "$\\frac{1" in shown
    assert 'a"b&c' in shown
    assert "замок É" in shown


def test_same_data_same_svg():
    assert categories().svg() == categories().svg()


def test_save_writes_svg_png_and_csv(tmp_path):
    drawing = draw_images_per_landmark(np.array([1, 1, 8, 30]))
    paths = drawing.save(tmp_path / "figures")
    assert [path.name for path in paths] == [
        "images-per-landmark.svg", "images-per-landmark.png", "images-per-landmark.csv",
    ]  # fmt: skip
    svg = paths[0].read_text(encoding="utf-8")
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme" in svg
    with Image.open(paths[1]) as image:
        assert image.width > 1000
        assert image.convert("RGB").getpixel((0, 0)) == (254, 254, 254)
    with paths[2].open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert sum(int(row["landmarks"]) for row in rows) == 4
