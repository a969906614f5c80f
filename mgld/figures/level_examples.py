"""One question of each knowledge level with its five answers (the paper's Figure 15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mgld.figures.axes import new_page
from mgld.figures.drawing import Drawing
from mgld.figures.flow import Flow
from mgld.figures.levels import LEVEL_COLOUR, level_words
from mgld.figures.picture import picture
from mgld.figures.style import MUTED, WIDE, style
from mgld.figures.svg import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mgld.evaluate.records import Level

LONGEST: Final = 150
"""Letters that are shown of an answer; the CSV has as many as were given."""
_MARGIN: Final = 0.1


@dataclass(frozen=True)
class ShownAnswer:
    """One of the five. before + words + after is its text; `words` show what `mark` says.

    Without a mark, or where the judge names no words, all of the text is in `before`.
    """

    before: str
    words: str = ""
    after: str = ""
    mark: Literal["", "hints", "identifies"] = ""


@dataclass(frozen=True)
class LevelExample:
    """One question. picture: uint8 [height, width, 3], None where there is none to show.

    credit: whose picture it is; "" for a drawing of a program.
    """

    level: Level
    name: str
    question_id: str
    picture: npt.NDArray[np.uint8] | None
    credit: str
    answers: Sequence[ShownAnswer]


def draw_level_examples(examples: Sequence[LevelExample], *, width: float = WIDE) -> Drawing:
    """Side by side (narrow: one above the other), best level first, as far as there are examples.

    Each: its level, picture, true name, and its answers, cut to LONGEST letters about the words
    that identify the landmark, or hint at it; these are bold on the level's colour. Data: one row
    an answer.
    """
    order = [level for level in LEVEL_COLOUR if level in {each.level for each in examples}]
    shown = sorted(examples, key=lambda each: order.index(each.level))
    wide = width > 5
    columns = len(LEVEL_COLOUR) if wide else 1
    column = (width - _MARGIN * (columns + 1)) / columns
    # As high as the highest picture, so that names stand at one height.
    side = column * max((_shape(each) for each in shown), default=1.0) if wide else 1.35
    with style("level-examples"):
        size = 6.6 if wide else 8.0
        # Heights are known only when the text is laid out: first on a page that is not kept.
        draft = new_page(width, 10)
        heights = [_example(draft, each, 0, 0, column, size, side, wide) for each in shown]
        total = (max(heights, default=1) if wide else sum(heights) + 0.2 * len(heights)) + 0.2
        figure = new_page(width, total)
        x, y = _MARGIN, _MARGIN
        for each, height in zip(shown, heights, strict=True):
            _example(figure, each, x, y, column, size, side, wide)
            if wide:
                x += column + _MARGIN
            else:
                y += height + 0.2
    rows = [
        {"level": each.level, "landmark": each.name, "question_id": each.question_id,
         "draw": draw, "mark": said.mark, "words": said.words,
         "answer": said.before + said.words + said.after, "credit": each.credit}
        for each in shown for draw, said in enumerate(each.answers)
    ]  # fmt: skip
    return Drawing(
        name="level-examples",
        title="Answers at each level",
        alt="; ".join(_alt(each) for each in shown) + ".",
        data=pa.Table.from_pylist(rows, _SCHEMA),
        figure=figure,
    )


_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("level", "landmark", "question_id")]
    + [("draw", pa.int64())]
    + [(name, pa.string()) for name in ("mark", "words", "answer", "credit")]
)


def _alt(each: LevelExample) -> str:
    marks = [said.mark for said in each.answers]
    words = next((said.words for said in each.answers if said.words), "")
    return (
        f"{level_words(each.level)}: {plain(each.name)}, {marks.count('identifies')} of "
        f"{len(marks)} answers identify it, {marks.count('hints')} hint"
        + (f" (“{plain(words)}”)" if words else "")
    )


def _shape(each: LevelExample) -> float:
    """Height of its picture by the width of a square that it fills."""
    if each.picture is None:
        return 0.6
    high, wide = each.picture.shape[:2]
    return min(1.0, float(high / wide))


def _example(
    figure: Figure,
    each: LevelExample,
    x: float,
    top: float,
    column: float,
    size: float,
    side: float,
    wide: bool,
) -> float:
    """Draw one example with its corner at (x, top) in inches; the height it takes.

    size: of letters; side: inches that its picture has, in height and, when narrow, in width.
    """
    colour = LEVEL_COLOUR[each.level]
    head, small = Flow(figure, size + 1.6), Flow(figure, size - 0.8)
    _bar(figure, colour, x, top, column)
    y = top + 0.09
    y += head.draw(head.lines([(level_words(each.level), True)], column), x, y) + 0.05
    picture(figure, each.picture, x, y, column if wide else side, side)
    below = y + side + 0.06
    at, room = (x, column) if wide else (x + side + 0.1, column - side - 0.1)
    if wide:
        y = below
    y += head.draw(head.lines([(plain(each.name), False)], room)[:3], at, y)
    if each.credit:
        lines = small.lines([(plain(each.credit), False)], room)
        y += small.draw(lines[:3], at, y, colour=MUTED)
    y = (y if wide else max(y, below)) + 0.06
    for draw, said in enumerate(each.answers):
        y += _answer(Flow(figure, size), small, draw, said, x, y, column, colour)
    return y - top


def _bar(figure: Figure, colour: str, x: float, top: float, column: float) -> None:
    """The level's colour as a bar over a column."""
    from matplotlib.patches import Rectangle

    wide, high = figure.get_size_inches()
    figure.add_artist(
        Rectangle((x / wide, 1 - (top + 0.05) / high), column / wide, 0.05 / high,
                  facecolor=colour, lw=0, transform=figure.transFigure)
    )  # fmt: skip


def _answer(
    body: Flow, small: Flow, draw: int, said: ShownAnswer, x: float, y: float, column: float,
    colour: str,
) -> float:  # fmt: skip
    """One answer under a line that says which it is and what the judge finds; its height."""
    head = f"{draw + 1}" + (f" · {said.mark}" if said.mark else "")
    top = y
    y += small.draw(small.lines([(head, False)], column), x, y, colour=MUTED)
    parts = [(plain(text), k == 1) for k, text in enumerate(shortened(said))]
    lines = body.lines(parts, column) or body.lines([("(no text)", False)], column)
    return y + body.draw(lines, x, y, mark=colour) + 0.07 - top


def shortened(said: ShownAnswer, longest: int = LONGEST) -> tuple[str, str, str]:
    """Before, words, after: at most about `longest` letters, of which the words are kept first.

    What is left out on either side is an ellipsis; it is cut at a blank where one is near.
    """
    # The dots keep a blank at either end, where the parts meet.
    before, words, after = (
        " ".join(f".{text}.".split())[1:-1] for text in (said.before, said.words, said.after)
    )
    words = _end(words, longest)
    room = max(longest - len(words), 40)
    keep_after = min(len(after), max(room // 2, room - len(before)))
    keep_before = min(len(before), room - keep_after) if words else len(before)
    if not words:
        return _end(before, longest), "", ""
    return _begin(before, keep_before), words, _end(after, keep_after)


def _end(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    cut = text[:longest].rstrip()
    at = cut.rfind(" ")
    return (cut[:at] if at > longest - 20 else cut) + " …"


def _begin(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    cut = text[len(text) - longest :].lstrip()
    at = cut.find(" ")
    return "… " + (cut[at + 1 :] if 0 <= at < 20 else cut)
