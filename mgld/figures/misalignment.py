"""The misalignment probe: its 2 x 2 table, and the rate of each subset (paper, Figure 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from mgld.figures.axes import new_figure
from mgld.figures.drawing import Drawing
from mgld.figures.style import BLUE, GREY, GRID, INK, MUTED, NARROW, SKY, VERMILLION, WIDE, style
from mgld.figures.svg import plain

if TYPE_CHECKING:
    from mgld.evaluate.records import ProbeTable

CELL_COLOUR: Final = {
    "described_recognised": BLUE,
    "described_not_recognised": VERMILLION,
    "not_described_recognised": SKY,
    "not_described_not_recognised": GREY,
}
"""What is told and not seen has the colour of what is unknown."""
_WORDS: Final = {
    "described_recognised": "described and recognised",
    "described_not_recognised": "described, not recognised",
    "not_described_recognised": "not described, recognised",
    "not_described_not_recognised": "neither",
}


def draw_probe_table(table: ProbeTable, *, number: int = 0) -> Drawing:
    """The four cells of one subset with counts and shares of what both sides scored.

    The bar of a cell is its share. number: of the subset among those drawn, for the file's name.
    Data: one row a cell.
    """
    counts = [getattr(table, cell) for cell in CELL_COLOUR]
    scored = sum(counts)
    shares = [count / scored if scored else 0.0 for count in counts]
    name = f"probe-table-{number + 1}"
    with style(name):
        figure = new_figure(NARROW, 2.5)
        axis = figure.subplots()
        for k, (colour, count, share) in enumerate(
            zip(CELL_COLOUR.values(), counts, shares, strict=True)
        ):
            x, y = k % 2, k // 2
            misaligned = k == 1
            axis.fill(
                [x + 0.03, x + 0.97, x + 0.97, x + 0.03], [y + 0.04, y + 0.04, y + 0.96, y + 0.96],
                facecolor="none", edgecolor=VERMILLION if misaligned else GRID,
                lw=1.6 if misaligned else 0.8,
            )  # fmt: skip
            axis.text(x + 0.1, y + 0.36, f"{count:,}", fontsize=17, fontweight="bold", color=INK)
            axis.text(x + 0.1, y + 0.58, f"{100 * share:.1f} %", fontsize=8.5, color=MUTED)
            if misaligned:
                axis.text(x + 0.9, y + 0.58, "misaligned", fontsize=7.2, color=INK, ha="right")
            axis.barh(y + 0.78, 0.8, left=x + 0.1, height=0.12, color=GRID)
            axis.barh(y + 0.78, 0.8 * share, left=x + 0.1, height=0.12, color=colour)
        axis.set_xlim(0, 2)
        axis.set_ylim(2, 0)
        axis.set_xticks([0.5, 1.5], ["recognised\nin the image", "not recognised\nin the image"])
        axis.xaxis.tick_top()
        axis.set_yticks([0.5, 1.5], ["described\nfrom the name", "not\ndescribed"])
        axis.grid(visible=False)
        for spine in axis.spines.values():
            spine.set_visible(False)
    subset = plain(table.subset)
    return Drawing(
        name=name,
        title=subset,
        alt=f"Table of {subset}: "
        + "; ".join(
            f"{words}: {count:,} ({share:.1%})"
            for words, count, share in zip(_WORDS.values(), counts, shares, strict=True)
        )
        + f"; of {scored:,} landmarks that both sides scored.",
        data=pa.table({"landmarks": list(_WORDS.values()), "count": counts, "share": shares}),
        figure=figure,
    )


def draw_misalignment(tables: Sequence[ProbeTable], *, width: float = WIDE) -> Drawing:
    """The misalignment rate of each subset with its 95 % interval; light: with the unscored.

    A subset in which nothing is described has no bar. Data: one row a subset.
    """
    y = np.arange(len(tables))
    with style("misalignment"):
        figure = new_figure(width, 0.85 + 0.42 * len(tables))
        axis = figure.subplots()
        rates = [100 * (table.misalignment or 0.0) for table in tables]
        axis.barh(y, rates, height=0.5, color=VERMILLION)
        for k, table in enumerate(tables):
            _lines(axis, k, table)
        names = [plain(table.subset) for table in tables]
        shown = names if width > 5 else [n if len(n) < 14 else f"{n[:12]}…" for n in names]
        axis.set_yticks(y, shown)
        axis.set_ylim(len(tables) - 0.45, -0.55)
        axis.set_xlim(0, 135 if width > 5 else 195)
        axis.set_xticks([0, 25, 50, 75, 100])
        axis.grid(visible=False, axis="y")
        axis.set_xlabel("% of the landmarks described from their names")
    return Drawing(
        name="misalignment",
        title="Described from the name, not recognised in the image",
        alt="Bars of the misalignment rate: "
        + "; ".join(
            f"{name}: "
            + ("none is described" if t.misalignment is None else f"{t.misalignment:.1%}")
            for name, t in zip(names, tables, strict=True)
        )
        + ".",
        data=_table(tables),
        figure=figure,
    )


def _lines(axis: Any, k: int, table: ProbeTable) -> None:
    """The interval of a bar, the bounds by what is unscored, and the rate in words."""
    if table.lowest is not None and table.highest is not None and table.unscored:
        axis.plot(
            [100 * table.lowest, 100 * table.highest], [k + 0.36] * 2, color=GREY, lw=2.2,
            solid_capstyle="butt",
        )  # fmt: skip
    at, words = 0.0, "none is described"
    if table.misalignment is not None and table.interval is not None:
        low, high = (100 * end for end in table.interval)
        axis.plot([low, high], [k, k], color=INK, lw=1.3, solid_capstyle="butt")
        for end in (low, high):
            axis.plot([end] * 2, [k - 0.1, k + 0.1], color=INK, lw=1.3)
        told = table.described_recognised + table.described_not_recognised
        words = (
            f"{100 * table.misalignment:.1f} %  ({table.described_not_recognised:,} of {told:,})"
        )
        at = max(high, 100 * table.misalignment)
    axis.annotate(words, (at, k), (7, 0), va="center", textcoords="offset points", color=INK)


def _table(tables: Sequence[ProbeTable]) -> pa.Table:
    real = pa.float64()
    return pa.table(
        {
            "subset": [plain(table.subset) for table in tables],
            "described": [t.described_recognised + t.described_not_recognised for t in tables],
            "not_recognised": [table.described_not_recognised for table in tables],
            "misaligned_share": pa.array([table.misalignment for table in tables], real),
            "share_low": pa.array([t.interval and t.interval[0] for t in tables], real),
            "share_high": pa.array([t.interval and t.interval[1] for t in tables], real),
            "unscored": [table.unscored for table in tables],
            "lowest_share": pa.array([table.lowest for table in tables], real),
            "highest_share": pa.array([table.highest for table in tables], real),
            "say_the_place": [table.by_place for table in tables],
            "of_these_not_recognised": [table.by_place_not_recognised for table in tables],
        }
    )
