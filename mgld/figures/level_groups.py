"""Levels by group: does accuracy follow what the encoder knows?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mgld.figures.axes import new_figure
from mgld.figures.drawing import Drawing
from mgld.figures.levels import LEVEL_COLOUR, level_words
from mgld.figures.style import GREY, WIDE, style

if TYPE_CHECKING:
    from mgld.evaluate.breakdown import Group


def draw_level_groups(
    groups: Sequence[Group],
    *,
    name: str,
    title: str,
    axis_label: str,
    width: float = WIDE,
) -> Drawing:
    """Shares of the levels in each group, in the groups' order, and accuracy with its interval.

    The bars stand on strongly_known and known, so that their upper edge is the accuracy. Groups
    with nothing scored are a gap; small ones are marked. A group called "3: ..." has the tick 3.
    Data: one row a group.
    """
    ticks = [
        group.name.split(":")[0].replace(" to ", "–").replace(" or more", "+") for group in groups
    ]
    x = np.arange(len(groups))
    with style(name):
        figure = new_figure(width, 3.0 if width > 5 else 2.9)
        axis = figure.subplots()
        bottom = np.zeros(len(groups))
        for level, colour in LEVEL_COLOUR.items():
            shares = np.array([100 * (group.metrics.shares[level] or 0.0) for group in groups])
            axis.bar(x, shares, bottom=bottom, width=0.84, color=colour, label=level_words(level))
            bottom += shares
        for k, group in enumerate(groups):
            interval = group.metrics.accuracy_interval
            if interval is None:
                axis.bar(k, 100, width=0.84, color="none", edgecolor=GREY, hatch="///", lw=0.5)
                continue
            for colour, line in (("#ffffff", 3.4), (INK_ON_BARS, 1.4)):
                axis.plot([k, k], [100 * interval.low, 100 * interval.high], color=colour,
                          lw=line, clip_on=False, zorder=4)  # fmt: skip
            axis.plot(k, 100 * (group.metrics.accuracy or 0.0), "o", ms=4.5, color=INK_ON_BARS,
                      mec="#ffffff", mew=0.9, clip_on=False, zorder=5)  # fmt: skip
        axis.set_xticks(x, [f"{t}*" if g.small else t for t, g in zip(ticks, groups, strict=True)])
        axis.set_xlim(-0.6, len(groups) - 0.4)
        axis.set_ylim(0, 100)
        axis.set_yticks([0, 25, 50, 75, 100])
        axis.grid(visible=False)
        axis.set_xlabel(axis_label)
        axis.set_ylabel("% of scored questions")
        figure.legend(loc="outside upper left", ncols=4 if width > 5 else 2, handlelength=1,
                      columnspacing=1.4)  # fmt: skip
    return Drawing(
        name=name,
        title=title,
        alt="Stacked bars of the levels by group, with accuracy: "
        + "; ".join(
            f"{group.name}: "
            + (f"{group.metrics.accuracy:.0%}" if group.metrics.accuracy is not None else "none")
            for group in groups
        )
        + ".",
        data=_table(groups),
        figure=figure,
    )


# Bars keep their colours on a dark page; what is drawn on them must not turn light there.
INK_ON_BARS = "#10171e"


def _table(groups: Sequence[Group]) -> pa.Table:
    metrics = [group.metrics for group in groups]
    intervals = [each.accuracy_interval for each in metrics]
    counts = {level: [each.counts[level] for each in metrics] for level in LEVEL_COLOUR}
    real = pa.float64()
    return pa.table(
        {
            "group": [group.name for group in groups],
            "scored": [each.scored for each in metrics],
            "unscored": [each.unscored for each in metrics],
        }
        | counts
        | {
            "accuracy_share": pa.array([each.accuracy for each in metrics], real),
            "share_low": pa.array([each and each.low for each in intervals], real),
            "share_high": pa.array([each and each.high for each in intervals], real),
        }
    )
