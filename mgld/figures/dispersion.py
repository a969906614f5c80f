"""The dispersion of each subset beside that of random subsets: what Figure 3 claims, measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from mgld.figures.axes import new_figure
from mgld.figures.drawing import Drawing
from mgld.figures.style import GREY, INK, METHOD_COLOUR, METHOD_MARK, WIDE, style

if TYPE_CHECKING:
    from mgld.scoring.dispersion import Dispersion

TITLES: Final = {
    "within": "Within",
    "between": "Between",
    "ratio": "Between / within",
    "silhouette": "Silhouette",
    "unevenness": "Uneven counts",
}


def draw_dispersion(measured: Sequence[Dispersion], *, width: float = WIDE) -> Drawing:
    """One panel a measure, one line a subset: its value on the range of random subsets.

    measured: what `mgld.scoring.measure_dispersion` gives. Grey bar: the middle 95 % of random
    subsets of the same size; thin line with ends: that of random records of the same categories in
    the same numbers. Data: one row a subset and measure, with both and their p.
    """
    subsets = list(dict.fromkeys(each.subset for each in measured))
    shown = [m for m in TITLES if any(each.measure == m for each in measured)]
    wide = width > 5
    with style("dispersion"):
        rows, columns = (1, max(len(shown), 1)) if wide else (max(len(shown), 1), 1)
        panel = 0.55 + 0.24 * max(len(subsets), 1)
        figure = new_figure(width, 0.75 + panel if wide else 0.6 + rows * (panel + 0.2))
        axes = figure.subplots(rows, columns, sharey=wide, squeeze=False)
        for axis, measure in zip(axes.flat, shown, strict=False):
            _panel(axis, [each for each in measured if each.measure == measure], subsets)
            axis.set_title(TITLES[measure])
        _key(figure, wide)
    return Drawing(
        name="dispersion",
        title="Spread of the image vectors within and between categories",
        alt="Value of each subset (mean of random subsets of the same size): "
        + "; ".join(
            f"{TITLES[measure].lower()}: "
            + ", ".join(_words(each) for each in measured if each.measure == measure)
            for measure in shown
        )
        + ".",
        data=_table(measured),
        figure=figure,
    )


def _panel(axis: Any, measured: Sequence[Dispersion], subsets: Sequence[str]) -> None:
    for each in measured:
        y = subsets.index(each.subset)
        if each.random is not None:
            low, high = each.random.low, each.random.high
            axis.plot([low, high], [y, y], color=GREY, lw=7, alpha=0.4, solid_capstyle="butt")
        if each.same_categories is not None:
            low, high = each.same_categories.low, each.same_categories.high
            axis.plot([low, high], [y, y], color=INK, lw=1)
            for end in (low, high):
                axis.plot([end, end], [y - 0.13, y + 0.13], color=INK, lw=1)
        if each.value is not None:
            axis.plot(
                each.value, y, METHOD_MARK.get(each.subset, "o"), ms=7, mec=INK, mew=0.7,
                color=METHOD_COLOUR.get(each.subset, INK), zorder=5,
            )  # fmt: skip
    axis.set_yticks(range(len(subsets)), [name.upper() for name in subsets])
    axis.set_ylim(len(subsets) - 0.5, -0.5)
    axis.margins(x=0.1)
    axis.locator_params(axis="x", nbins=4)
    axis.grid(visible=False, axis="y")


def _key(figure: Any, wide: bool) -> None:
    from matplotlib.lines import Line2D

    figure.legend(
        handles=[
            Line2D([], [], color=INK, marker="o", ls="none", ms=6, label="the subset"),
            Line2D([], [], color=GREY, lw=7, alpha=0.4, label="95 % of random subsets"),
            Line2D([], [], color=INK, lw=1, label="… with its numbers per category"),
        ],
        loc="outside upper left",
        ncols=3 if wide else 1,
        fontsize=8,
    )


def _words(each: Dispersion) -> str:
    if each.value is None:
        return f"{each.subset.upper()} none"
    mean = f" ({each.random.mean:.3f})" if each.random is not None else ""
    return f"{each.subset.upper()} {each.value:.3f}{mean}"


def _table(measured: Sequence[Dispersion]) -> pa.Table:
    real = pa.float64()
    columns: dict[str, Any] = {
        "subset": pa.array([each.subset for each in measured], pa.string()),
        "measure": pa.array([each.measure for each in measured], pa.string()),
        "value": pa.array([each.value for each in measured], real),
        "records": pa.array([each.records for each in measured], pa.int64()),
        "categories": pa.array([each.categories for each in measured], pa.int64()),
    }
    for against in ("random", "same_categories"):
        found = [getattr(each, against) for each in measured]
        for part in ("mean", "low", "high", "p"):
            columns[f"{against}_{part}"] = pa.array([f and getattr(f, part) for f in found], real)
    return pa.table(columns)
