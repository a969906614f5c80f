"""The image selection of some landmarks: three candidates, one drawn (the paper's Figure 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mgld.figures.axes import new_page, percent
from mgld.figures.drawing import Drawing
from mgld.figures.flow import Flow
from mgld.figures.picture import picture
from mgld.figures.style import GREEN, MUTED, WIDE, style
from mgld.figures.svg import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CANDIDATES: Final = 3
_MARGIN: Final = 0.1


@dataclass(frozen=True)
class ShownCandidate:
    """One of a landmark's most similar images. chance: of being drawn; credit: whose it is.

    picture: uint8 [height, width, 3], None where it cannot be shown.
    """

    image_id: str
    sim: float
    chance: float
    chosen: bool
    picture: npt.NDArray[np.uint8] | None
    credit: str = ""


@dataclass(frozen=True)
class TopThree:
    """A landmark, how many images it has, and its candidates, the most similar first."""

    name: str
    images: int
    candidates: Sequence[ShownCandidate]


def draw_top_three(landmarks: Sequence[TopThree], *, width: float = WIDE) -> Drawing:
    """The candidates of each landmark with Sim and the chance to be drawn; the drawn one framed.

    Two landmarks a row when wide, one when narrow. Data: one row a candidate.
    """
    columns = 2 if width > 5 else 1
    cell = (width - _MARGIN * (2 * columns - 1) - 0.1) / columns
    side = (cell - 2 * _MARGIN) / CANDIDATES
    credited = any(each.credit for mark in landmarks for each in mark.candidates)
    row_height = 0.22 + side + (0.62 if credited else 0.36)
    rows = max(1, -(-len(landmarks) // columns))
    with style("top-three"):
        figure = new_page(width, rows * row_height + 0.1)
        for number, mark in enumerate(landmarks):
            x = _MARGIN + (number % columns) * (cell + 2 * _MARGIN)
            _landmark(figure, mark, x, 0.05 + (number // columns) * row_height, cell, side)
    drawn = [next((c for c in mark.candidates if c.chosen), None) for mark in landmarks]
    data = pa.Table.from_pylist(
        [
            {"landmark": mark.name, "images": mark.images, "place": place,
             "image_id": each.image_id, "sim": each.sim, "chance": each.chance,
             "chosen": each.chosen, "credit": each.credit}
            for mark in landmarks for place, each in enumerate(mark.candidates, start=1)
        ],
        _SCHEMA,
    )  # fmt: skip
    return Drawing(
        name="top-three",
        title="Image selection: of the three most similar, one by weight",
        alt="; ".join(
            f"{plain(mark.name)}, {mark.images:,} images: Sim "
            + ", ".join(f"{each.sim:.3f}" for each in mark.candidates)
            + ("" if one is None else f"; drawn: {one.sim:.3f} with a chance of {one.chance:.0%}")
            for mark, one in zip(landmarks, drawn, strict=True)
        )
        + ".",
        data=data,
        figure=figure,
    )


_SCHEMA = pa.schema(
    [
        ("landmark", pa.string()),
        ("images", pa.int64()),
        ("place", pa.int64()),
        ("image_id", pa.string()),
        ("sim", pa.float64()),
        ("chance", pa.float64()),
        ("chosen", pa.bool_()),
        ("credit", pa.string()),
    ]
)


def _landmark(figure: Figure, mark: TopThree, x: float, y: float, cell: float, side: float) -> None:
    head, body, small = Flow(figure, 8.5), Flow(figure, 7.5), Flow(figure, 5.5)
    images = f" · {mark.images:,} image{'' if mark.images == 1 else 's'}"
    name = head.fit(plain(mark.name), cell - head.width(images, bold=True), bold=True)
    head.draw(head.lines([(name + images, True)], cell)[:1], x, y)
    y += 0.2
    for k, each in enumerate(mark.candidates):
        left = x + k * (side + _MARGIN)
        axis = picture(figure, each.picture, left, y, side, side)
        lines = [f"Sim {each.sim:.3f} · {percent(each.chance, 1)}".replace("-", "−")]
        if each.chosen:
            axis.spines[:].set(visible=True, color=GREEN, linewidth=3)
            lines.append("drawn")
        below = y + side + 0.04
        for text in lines:
            line = body.lines([(text, text == "drawn")], side)
            below += body.draw(line, left, below)
        if each.credit:
            credit = small.lines([(plain(each.credit), False)], side)[:3]
            small.draw(credit, left, below, colour=MUTED)
