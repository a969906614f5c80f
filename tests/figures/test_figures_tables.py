"""Figure 8: the counts at the arrows are those of the source's files."""

from __future__ import annotations

import numpy as np
import pytest

from mgld.figures import NARROW, WIDE, draw_gldv2_tables, gldv2_tables
from mgld.gldv2 import read_catalog

IMAGES = [f"{k:016x}" for k in range(7)]


def write_source(root, *, attribution=True):
    """Four landmarks, seven images, and rows that meet nothing, twice or not at all."""
    root.mkdir()
    url = "http://commons.wikimedia.org/wiki/Category:"
    rows = {
        # landmark 4 has no image; the last row has no name
        "train_label_to_category.csv": [
            "landmark_id,category", *(f"{k},{url}Tower_{k}" for k in (1, 2, 3, 4)), f"5,{url}",
        ],
        # of landmark 9, which is not listed: two rows; one id is there twice, one is damaged
        "train.csv": [
            "id,url,landmark_id",
            *(f"{id},http://x/{id}.jpg,{1 + k % 3}" for k, id in enumerate(IMAGES)),
            f"{'a' * 16},http://x/a.jpg,9", f"{'b' * 16},http://x/b.jpg,9",
            f"{IMAGES[0]},http://x/0.jpg,1", "nothex,http://x/n.jpg,1",
        ],
        "train_label_to_hierarchical.csv": [
            "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made",
            *(f"{k},{url}Tower_{k},towers,tower,human-made" for k in (1, 2)),
            f"7,{url}Tower_7,towers,tower,human-made",
        ],
    }  # fmt: skip
    if attribution:
        # five of the seven images, and one that is not listed
        rows["train_attribution.csv"] = [
            "id,url,author,license,title", *(f"{id},u,A,L,T" for id in [*IMAGES[:5], "c" * 16]),
        ]  # fmt: skip
    for name, lines in rows.items():
        (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_catalog(root)


def table_of(catalog):
    counts = catalog.landmarks["image_count"].to_numpy()
    return gldv2_tables(catalog.counts(), catalog.rejects, counts)


def test_counts_of_shared_and_missing_keys_are_those_of_the_files(tmp_path):
    rows = {row["file"]: row for row in table_of(write_source(tmp_path / "s")).to_pylist()}
    names = ("rows", "accepted", "unknown_key", "other_rejects", "unreferred")
    assert {file: tuple(row[name] for name in names) for file, row in rows.items()} == {
        "train_attribution.csv": (6, 5, 1, 0, 2),
        "train.csv": (11, 7, 2, 2, 1),
        "train_label_to_category.csv": (5, 4, 0, 1, None),
        "train_label_to_hierarchical.csv": (3, 2, 1, 0, 2),
    }
    for row in rows.values():
        assert row["rows"] == row["accepted"] + row["unknown_key"] + row["other_rejects"]
    assert rows["train.csv"]["refers_to"] == "train_label_to_category.csv"
    assert rows["train_label_to_category.csv"]["refers_to"] == ""


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_drawing_says_them(tmp_path, width):
    drawing = draw_gldv2_tables(table_of(write_source(tmp_path / "s")), width=width)
    said = {text.get_text() for text in drawing.figure.axes[0].texts}
    assert {
        "train.csv", "11", "id: 5 rows meet", "1 row of no known image",
        "2 images without an attribution", "landmark_id: 7 rows meet",
        "2 rows of no known landmark", "1 landmark without an image", "2 rows damaged or double",
        "landmark_id: 2 rows meet", "1 row of no known landmark", "2 landmarks without a label",
        "natural_or_human_made",
    } <= said  # fmt: skip
    assert "train.csv: 11 rows (landmark_id: 7 rows meet" in drawing.alt
    assert [path.suffix for path in drawing.save(tmp_path)] == [".svg", ".png", ".csv"]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nothing_stands_outside_the_page_or_on_something_else(tmp_path, width):
    drawing = draw_gldv2_tables(table_of(write_source(tmp_path / "s")), width=width)
    figure = drawing.figure
    figure.canvas.draw()
    boxes = [t.get_window_extent() for t in figure.axes[0].texts if t.get_text()]
    assert min(min(box.x0, box.y0) for box in boxes) >= 0
    assert max(box.x1 for box in boxes) <= figure.bbox.width
    assert max(box.y1 for box in boxes) <= figure.bbox.height
    overlaps = [
        (a, b)
        for k, a in enumerate(boxes)
        for b in boxes[:k]
        if a.x0 < b.x1 and b.x0 < a.x1 and a.y0 + 1 < b.y1 and b.y0 + 1 < a.y1
    ]
    assert not overlaps


def test_a_file_that_is_not_there_is_said_and_has_no_arrow(tmp_path):
    whole = draw_gldv2_tables(table_of(write_source(tmp_path / "whole")))
    table = table_of(write_source(tmp_path / "s", attribution=False))
    assert "train_attribution.csv" not in table["file"].to_pylist()
    drawing = draw_gldv2_tables(table)
    said = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert said.count("not in this source") == 1
    assert "author" not in said
    # an arrow is a text of its own, without words
    arrows = [[t.get_text() for t in d.figure.axes[0].texts].count("") for d in (whole, drawing)]
    assert arrows == [3, 2]


def test_no_file_at_all():
    rejects = write_rejects()
    table = gldv2_tables({}, rejects, np.empty(0, dtype=np.int64))
    assert table.num_rows == 0
    assert draw_gldv2_tables(table).svg()


def write_rejects():
    from mgld.gldv2.csv_rows import REJECT_SCHEMA

    return REJECT_SCHEMA.empty_table()
