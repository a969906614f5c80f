"""How well scores tell those with a property from those without: ROC curves, a panel a property."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from mgld.figures.axes import new_figure
from mgld.figures.drawing import Drawing
from mgld.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, SKY, WIDE, style
from mgld.figures.svg import plain

LINES: Final[tuple[tuple[str, Any], ...]] = (
    (BLUE, "-"),
    (GREEN, (0, (6, 2))),
    (ORANGE, (0, (4, 1.5, 1, 1.5))),
    (PURPLE, (0, (2.5, 1.5))),
    (SKY, (0, (1, 1.2))),
    (INK, (0, (8, 2, 1, 2, 1, 2))),
)
"""Colour and dashes of each curve, so that they differ also without colour."""


@dataclass(frozen=True)
class RocCurve:
    """One score: rates from (0, 0) to (1, 1), equally many, and the area with its 95 % interval."""

    name: str
    false_rate: Sequence[float]
    true_rate: Sequence[float]
    area: float
    low: float
    high: float


def draw_roc(panels: Mapping[str, Sequence[RocCurve]], *, width: float = WIDE) -> Drawing:
    """ROC curves of the same scores for each of `panels`: title -> curves; up to six scores.

    The dashed diagonal is chance. Each panel's key says the areas. Data: one row a panel, score and
    point. ValueError: more than six curves in a panel.
    """
    if any(len(curves) > len(LINES) for curves in panels.values()):
        raise ValueError(f"more than {len(LINES)} curves cannot be told apart")
    wide, count = width > 5, max(len(panels), 1)
    with style("roc"):
        figure = new_figure(width, width / count + 0.4 if wide else 0.3 + 3.5 * count)
        axes = figure.subplots(*((1, count) if wide else (count, 1)), squeeze=False)
        for axis, (title, curves) in zip(axes.flat, panels.items(), strict=False):
            _panel(axis, plain(title), curves)
    return Drawing(
        name="roc",
        title="How well scores find what was taught",
        alt="Areas under ROC curves. "
        + "; ".join(
            f"{plain(title)}: " + ", ".join(f"{plain(c.name)} {c.area:.3f}" for c in curves)
            for title, curves in panels.items()
        )
        + ".",
        data=_table(panels),
        figure=figure,
    )


def _panel(axis: Any, title: str, curves: Sequence[RocCurve]) -> None:
    axis.plot([0, 100], [0, 100], color=MUTED, lw=1.0, ls=(0, (4, 3)))
    for curve, (colour, dashes) in zip(curves, LINES, strict=False):
        axis.plot(
            [100 * x for x in curve.false_rate],
            [100 * y for y in curve.true_rate],
            color=colour, ls=dashes, lw=1.9,
            label=f"{plain(curve.name)} {curve.area:.3f}",
        )  # fmt: skip
    axis.set_xlim(-1, 100)
    axis.set_ylim(0, 101)
    axis.set_xticks([0, 25, 50, 75, 100])
    axis.set_yticks([0, 25, 50, 75, 100])
    axis.set_title(title)
    axis.set_xlabel("% of the others above the cut")
    axis.set_ylabel("% found")
    axis.legend(loc="lower right", title="area", alignment="left", handlelength=2.6, fontsize=8)


def _table(panels: Mapping[str, Sequence[RocCurve]]) -> pa.Table:
    rows = [
        {"panel": plain(title), "score": plain(curve.name), "false_rate": x, "true_rate": y,
         "area": curve.area, "area_low": curve.low, "area_high": curve.high}
        for title, curves in panels.items()
        for curve in curves
        for x, y in zip(curve.false_rate, curve.true_rate, strict=True)
    ]  # fmt: skip
    texts = [(name, pa.string()) for name in ("panel", "score")]
    numbers = ("false_rate", "true_rate", "area", "area_low", "area_high")
    return pa.Table.from_pylist(rows, pa.schema(texts + [(n, pa.float64()) for n in numbers]))
