"""Figures 10 and 15: pictures, their numbers, and answers with the words that identify."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from mgld.figures import (
    NARROW,
    WIDE,
    LevelExample,
    ShownAnswer,
    ShownCandidate,
    TopThree,
    draw_level_examples,
    draw_top_three,
)
from mgld.figures.axes import new_page, percent
from mgld.figures.drawing import DPI
from mgld.figures.flow import Flow
from mgld.figures.level_examples import LONGEST, shortened
from mgld.figures.levels import LEVEL_COLOUR

PIXELS = np.full((30, 40, 3), 200, dtype=np.uint8)
LONG = "word " * 60 + "then this is Nordvik Tower, " + "more " * 60


def shown_text(drawing):
    return " ".join(text.get_text() for text in drawing.figure.texts)


def inside(drawing):
    """Whether all text lies on the page."""
    drawing.figure.set_dpi(DPI)  # as in a PNG: coarser pixels move letters apart
    drawing.png()
    page = drawing.figure.bbox
    boxes = [text.get_window_extent() for text in drawing.figure.texts]
    return all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= page.x1 and b.y1 <= page.y1 for b in boxes)


def landmark(name="Old Mill", *, chosen=1, number=3, picture=PIXELS, credit=""):
    sims = (0.5, 0.3, 0.2)[:number]
    return TopThree(
        name,
        12,
        [
            ShownCandidate(f"id{k}", sim, sim / sum(sims), k == chosen, picture, credit)
            for k, sim in enumerate(sims)
        ],
    )


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_top_three_has_sims_chances_and_the_one_drawn(width, tmp_path):
    drawing = draw_top_three([landmark(), landmark("Church of the Long Name " * 4)], width=width)
    text = shown_text(drawing)
    assert "Old Mill · 12 images" in text
    assert f"Sim 0.500 · {percent(1, 2)}" in text
    assert text.count("drawn") == 2
    assert text.count("· 12 images") == 2
    framed = [axis.spines["left"].get_visible() for axis in drawing.figure.axes]
    assert framed == [False, True, False] * 2
    assert inside(drawing)
    with drawing.save(tmp_path)[2].open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["image_id"] for row in rows] == ["id0", "id1", "id2"] * 2
    assert [row["chosen"] for row in rows] == ["false", "true", "false"] * 2
    assert sum(float(row["chance"]) for row in rows[:3]) == pytest.approx(1)
    assert "drawn: 0.300 with a chance of 30%" in drawing.alt


def test_whose_a_photograph_is_stands_under_it():
    drawing = draw_top_three([landmark(credit="Ada Lovelace, CC BY-SA 3.0")])
    assert shown_text(drawing).count("Ada Lovelace") == 3
    assert set(drawing.data["credit"].to_pylist()) == {"Ada Lovelace, CC BY-SA 3.0"}
    assert inside(drawing)


def test_a_picture_that_is_not_there_is_said():
    drawing = draw_top_three([landmark(picture=None, number=1, chosen=0)])
    (axis,) = drawing.figure.axes
    assert [text.get_text() for text in axis.texts] == ["no picture"]
    assert not axis.images


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_no_landmark_and_no_example(width):
    assert draw_top_three([], width=width).svg()
    drawing = draw_level_examples([], width=width)
    assert drawing.svg()
    assert drawing.data.num_rows == 0


def example(level, *, answers=None, picture=PIXELS, name="Nordvik Tower", credit=""):
    said = answers or [
        ShownAnswer("I think ", "this is Nordvik Tower", ".", "identifies"),
        ShownAnswer("A tower, ", "perhaps in Nordvik", "", "hints"),
        ShownAnswer("No idea."), ShownAnswer(""), ShownAnswer(LONG),
    ]  # fmt: skip
    return LevelExample(level, name, f"q-{level}", picture, credit, said)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_levels_stand_best_first_with_their_answers(width, tmp_path):
    levels = list(LEVEL_COLOUR)
    drawing = draw_level_examples([example(level) for level in reversed(levels)], width=width)
    assert len(drawing.figure.axes) == 4
    assert inside(drawing)
    text = shown_text(drawing)
    at = [text.index(words) for words in ("strongly known", "weakly unknown")]
    assert at == sorted(at)
    assert text.count("1 · identifies") == text.count("2 · hints") == 4
    assert "(no text)" in text
    with drawing.save(tmp_path)[2].open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["level"] for row in rows] == [level for level in levels for _ in range(5)]
    assert [row["draw"] for row in rows] == list("01234") * 4
    assert rows[0]["answer"] == "I think this is Nordvik Tower."
    assert rows[0]["words"] == "this is Nordvik Tower"
    assert rows[4]["answer"] == LONG
    assert "1 of 5 answers identify it, 1 hint (“this is Nordvik Tower”)" in drawing.alt


def test_identifying_words_are_bold_on_the_levels_colour():
    from matplotlib.colors import same_color

    drawing = draw_level_examples([example("known")])
    bold = " ".join(t.get_text() for t in drawing.figure.texts if t.get_fontweight() == "bold")
    assert bold == "known this is Nordvik Tower perhaps in Nordvik"
    marks = [patch for patch in drawing.figure.artists if patch.get_alpha() is not None]
    assert marks
    assert all(same_color(p.get_facecolor()[:3], LEVEL_COLOUR["known"]) for p in marks)


def test_one_example_and_one_without_a_picture():
    drawing = draw_level_examples([example("unknown", picture=None, credit="Ada, CC0")])
    assert [t.get_text() for t in drawing.figure.axes[0].texts] == ["no picture"]
    assert "Ada, CC0" in shown_text(drawing)
    assert set(drawing.data["level"].to_pylist()) == {"unknown"}


def test_same_examples_same_svg():
    first, again = (draw_level_examples([example("known")]).svg() for _ in range(2))
    assert first == again


HOSTILE = "</text><script>x</script> $\\frac{1 \u202e\x07善光寺 " + "A" * 400


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_hostile_text_stays_text_and_on_the_page(width):
    said = [ShownAnswer("", HOSTILE, "", "identifies")] * 5
    drawing = draw_level_examples([example("known", answers=said, name=HOSTILE)], width=width)
    assert "<script" not in drawing.svg()
    assert inside(drawing)
    top = draw_top_three([landmark(HOSTILE, credit=HOSTILE)], width=width)
    assert "<script" not in top.svg()
    assert inside(top)


def test_a_long_answer_is_cut_about_its_words():
    at = LONG.index("this is")
    said = ShownAnswer(LONG[:at], "this is Nordvik Tower", LONG[at + 21 :], "identifies")
    before, words, after = shortened(said)
    assert words == "this is Nordvik Tower"
    assert before.startswith("… ")
    assert before.endswith("word then ")
    assert after.endswith(" …")
    assert len(before + words + after) <= LONGEST + 8
    # words are not cut through
    assert set(before.split()) == {"…", "word", "then"}


def test_an_answer_at_its_end_uses_the_room_before():
    before, words, after = shortened(ShownAnswer("word " * 60, "it is X", "", "identifies"))
    assert after == ""
    assert LONGEST - 30 < len(before + words) <= LONGEST + 4


def test_a_short_answer_is_whole_but_for_its_blanks():
    assert shortened(ShownAnswer("A  tower\n\nby ", "the sea", ".")) == (
        "A tower by ", "the sea", ".",
    )  # fmt: skip
    text = "x" * (LONGEST + 1)
    assert shortened(ShownAnswer(text)) == ("x" * LONGEST + " …", "", "")


def flowed(parts, width):
    flow = Flow(new_page(4, 2), 8)
    return flow, flow.lines(parts, width)


def test_lines_fit_and_lose_no_word():
    text = "The quick brown fox jumps over the lazy dog and is not seen again"
    flow, lines = flowed([(text, False)], 1.3)
    assert len(lines) > 2
    assert " ".join(run.text for line in lines for run in line) == text
    for line in lines:
        assert line[-1].x + line[-1].width <= 1.3
        assert sum(flow.width(run.text) for run in line) <= 1.3 + 0.01


def test_marked_words_are_runs_of_their_own_that_meet_as_in_the_text():
    flow, (line,) = flowed([("I say ", False), ("Tower", True), ("!", False)], 9)
    assert [(run.text, run.marked) for run in line] == [
        ("I say", False), ("Tower", True), ("!", False),
    ]  # fmt: skip
    blank = line[1].x - (line[0].x + line[0].width)
    assert blank == pytest.approx(flow.width(" "))
    assert line[2].x == pytest.approx(line[1].x + line[1].width)


def test_a_word_longer_than_a_line_is_cut():
    _, lines = flowed([("x" * 100, False)], 1.0)
    assert len(lines) > 3
    assert "".join(run.text for line in lines for run in line) == "x" * 100


def test_a_title_that_does_not_fit_ends_in_an_ellipsis():
    flow = Flow(new_page(4, 2), 8)
    assert flow.fit("short", 1.0) == "short"
    cut = flow.fit("A name that is too long to stand here", 1.0, bold=True)
    assert cut.startswith("A name")
    assert cut.endswith("…")
    assert 0.8 < flow.width(cut, bold=True) <= 1.0


def test_no_text_is_no_line():
    assert flowed([("", False), (" \n", True)], 1.0)[1] == []
