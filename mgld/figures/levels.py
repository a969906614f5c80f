"""The knowledge levels of a run: how many questions reach each, and how many draws identify."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from mgld.figures.axes import new_figure
from mgld.figures.drawing import Drawing
from mgld.figures.style import (
    BLUE,
    GREY,
    INK,
    MUTED,
    NARROW,
    ORANGE,
    SKY,
    VERMILLION,
    WIDE,
    style,
)

if TYPE_CHECKING:
    from mgld.evaluate.draws import DrawMetrics
    from mgld.evaluate.metrics import LevelMetrics
    from mgld.evaluate.records import Level

LEVEL_COLOUR: Final[dict[Level, str]] = {
    "strongly_known": BLUE,
    "known": SKY,
    "weakly_unknown": ORANGE,
    "unknown": VERMILLION,
}
"""Best first, as everywhere: unknown is vermillion, well known is blue."""
UNSCORED_COLOUR: Final = GREY


def level_words(level: str) -> str:
    """A level in words: "strongly known"."""
    return level.replace("_", " ")


def draw_levels(metrics: LevelMetrics, *, width: float = WIDE) -> Drawing:
    """Share of the scored questions on each level, with its 95 % interval.

    Data: one row a level, best first. ValueError where nothing is scored.
    """
    if not metrics.scored:
        raise ValueError("no question is scored: there is no share to draw")
    rows = []
    for level in LEVEL_COLOUR:
        share, interval = metrics.shares[level], metrics.share_intervals[level]
        assert share is not None and interval is not None
        rows.append((level, metrics.counts[level], share, interval.low, interval.high))
    names, counts, shares, lows, highs = map(list, zip(*rows, strict=True))
    y = np.arange(len(rows))
    with style("levels"):
        figure = new_figure(width, 2.1)
        axis = figure.subplots()
        axis.barh(y, [100 * s for s in shares], height=0.62, color=list(LEVEL_COLOUR.values()))
        for k, (share, low, high, count) in enumerate(
            zip(shares, lows, highs, counts, strict=True)
        ):
            axis.plot([100 * low, 100 * high], [k, k], color=INK, lw=1.3, solid_capstyle="butt")
            for end in (low, high):
                axis.plot([100 * end] * 2, [k - 0.13, k + 0.13], color=INK, lw=1.3)
            axis.annotate(
                f"{100 * share:.1f} %  ({count:,})", (100 * high, k), (7, 0), va="center",
                textcoords="offset points", color=INK,
            )  # fmt: skip
        axis.set_yticks(y, [level_words(name) for name in names])
        axis.set_ylim(len(rows) - 0.45, -0.55)
        # Room for the longest number behind the farthest whisker.
        axis.set_xlim(0, 100 * max(highs) * (1.28 if width > 5 else 1.62))
        axis.grid(visible=False, axis="y")
        axis.set_xlabel(f"% of {metrics.scored:,} scored questions")
    return Drawing(
        name="levels",
        title="Knowledge levels",
        alt="Bars of the share of each level: "
        + "; ".join(f"{level_words(n)} {s:.1%} ({c:,})" for n, c, s, _, _ in rows)
        + f"; of {metrics.scored:,} scored questions.",
        data=pa.table(
            {"level": names, "questions": counts, "share": shares,
             "share_low": lows, "share_high": highs}
        ),
        figure=figure,
    )  # fmt: skip


def draw_identified(draws: DrawMetrics) -> Drawing:
    """Questions by how many of their draws identify the landmark. Data: one row a number."""
    numbers = list(range(len(draws.identified)))
    levels = ["unknown", "known", *["strongly_known"] * (draws.draws - 1)]
    with style("identified"):
        figure = new_figure(NARROW, 2.3)
        axis = figure.subplots()
        colours = [GREY if not number else LEVEL_COLOUR[levels[number]] for number in numbers]  # type: ignore[index]  # names of levels
        axis.bar(numbers, draws.identified, width=0.72, color=colours)
        for number, count in zip(numbers, draws.identified, strict=True):
            axis.annotate(
                f"{count:,}", (number, count), (0, 3), ha="center", textcoords="offset points",
                fontsize=7.5, color=MUTED,
            )  # fmt: skip
        axis.set_xticks(numbers)
        axis.set_ylim(0, max(draws.identified) * 1.15)
        axis.grid(visible=False, axis="x")
        axis.set_xlabel(f"identifying draws of {draws.draws}")
        axis.set_ylabel("questions")
    return Drawing(
        name="identified",
        title="How often the five draws agree",
        alt="Bars of the questions by identifying draws: "
        + "; ".join(f"{n}: {c:,}" for n, c in zip(numbers, draws.identified, strict=True))
        + ".",
        data=pa.table({"identifying draws": numbers, "questions": draws.identified}),
        figure=figure,
    )
