"""Accuracy against the size of the training data, by selection (the paper's Figure 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from mgld.figures.axes import new_figure
from mgld.figures.drawing import Drawing
from mgld.figures.seeds import SeedMean, seed_mean
from mgld.figures.style import (
    INK,
    METHOD_COLOUR,
    METHOD_MARK,
    METHODS,
    MUTED,
    OLIVE,
    ORANGE,
    SKY,
    VIOLET,
    WIDE,
    style,
)
from mgld.figures.svg import plain

_POINTS: Final = ((ORANGE, "*"), (VIOLET, "P"), (OLIVE, "X"), (SKY, "v"))
_DASHES: Final[dict[str, Any]] = {"hds": "-", "hss": (0, (5, 2)), "lcs": (0, (4, 2, 1, 2)),
                                  "brs": (0, (1.5, 1.5))}  # fmt: skip


def draw_data_size(
    size: Sequence[int],
    selection: Sequence[str],
    seed: Sequence[int],
    accuracy: Sequence[float],
    *,
    baseline: Mapping[int, float] | None = None,
    width: float = WIDE,
) -> Drawing:
    """Accuracy over seeds at each size; with `baseline`, a second panel has the relative gain.

    size, selection, seed, accuracy: R runs; `accuracy` is a share, 0 to 1. A selection that is a
    subset's method (hds, hss, lcs, brs) is a line, any other ("EECA") is points. baseline: seed ->
    accuracy of the model that has not seen the data; the gain is mean accuracy / mean baseline of
    the same seeds - 1, as in the paper's Table 1, over the runs whose seed has a baseline, none
    where that is 0. Whiskers are 95 % t intervals over seeds where there are two or more, of the
    gain by linearisation of the ratio. Data: one row a selection and size; that of the baseline is
    0.
    ValueError where the columns are not equally long.
    """
    runs = list(zip(selection, size, seed, accuracy, strict=True))
    base = dict(baseline or {})
    order = [m for m in METHODS if m in selection]
    order += sorted({name for name in selection if name not in METHODS})
    rows: list[dict[str, Any]] = []
    for name in order:
        for k in sorted({each for of, each, _, _ in runs if of == name}):
            here = [(s, a) for of, each, s, a in runs if (of, each) == (name, k)]
            gains = _gains([(a, base[s]) for s, a in here if s in base])
            rows.append(
                {"selection": name, "size": k}
                | _columns("accuracy", seed_mean([a for _, a in here]))
                | _columns("gain", seed_mean(gains) if gains else None)
            )
    if base:
        rows.insert(
            0,
            {"selection": "baseline", "size": 0}
            | _columns("accuracy", seed_mean(list(base.values())))
            | _columns("gain", None),
        )
    data = pa.Table.from_pylist(rows, _SCHEMA)
    wide = width > 5
    panels = ["accuracy", "gain"] if base else ["accuracy"]
    with style("data-size"):
        stacked = 1 if wide else len(panels)
        figure = new_figure(width, 3.2 if wide else 0.5 + 2.6 * stacked)
        grid = (1, len(panels)) if wide else (len(panels), 1)
        axes = figure.subplots(*grid, squeeze=False)
        for axis, what in zip(axes.flat, panels, strict=True):
            _panel(axis, data.to_pylist(), what, order)
        handles, labels = axes.flat[0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside upper left", ncols=6 if wide else 3,
                          handlelength=2.4, columnspacing=1.4)  # fmt: skip
    return Drawing(
        name="data-size",
        title="Accuracy against the size of the training data",
        alt="Accuracy in % by selection and size, mean over seeds: "
        + "; ".join(
            f"{plain(row['selection'])}{' ' + format(row['size'], ',') if row['size'] else ''} "
            f"{100 * row['accuracy']:.1f}"
            + ("" if row["gain"] is None else f" (gain {100 * row['gain']:+.0f} %)")
            for row in rows
        )
        + ".",
        data=data,
        figure=figure,
    )


_SCHEMA = pa.schema(
    [("selection", pa.string()), ("size", pa.int64())]
    + [
        column
        for what in ("accuracy", "gain")
        for column in (
            (what, pa.float64()),
            (f"{what}_low", pa.float64()),
            (f"{what}_high", pa.float64()),
            (f"{what}_seeds", pa.int64()),
        )
    ]
)


def _gains(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """Of accuracy and baseline by seed, values with the mean ratio - 1 and its scatter."""
    mean = sum(before for _, before in pairs) / len(pairs) if pairs else 0.0
    if mean == 0:
        return []
    ratio = sum(after for after, _ in pairs) / len(pairs) / mean
    return [(after - ratio * before) / mean + ratio - 1 for after, before in pairs]


def _columns(what: str, mean: SeedMean | None) -> dict[str, Any]:
    values = mean or (None, None, None, 0)
    return dict(zip((what, f"{what}_low", f"{what}_high", f"{what}_seeds"), values, strict=True))


def _panel(axis: Any, rows: Sequence[Mapping[str, Any]], what: str, order: Sequence[str]) -> None:
    others = [name for name in order if name not in METHODS]
    sizes = sorted({row["size"] for row in rows if row["size"]})
    far = max(sizes, default=1)
    for name in order:
        of = [row for row in rows if row["selection"] == name and row[what] is not None]
        if not of:
            continue
        # A little apart, so that whiskers at one size do not hide each other.
        aside = 0.009 * far * (order.index(name) - (len(order) - 1) / 2)
        x = [row["size"] + aside for row in of]
        y = [100 * row[what] for row in of]
        if name in METHODS:
            colour, marker, line = METHOD_COLOUR[name], METHOD_MARK[name], _DASHES[name]
            label, area = name.upper(), 6.0
        else:
            (colour, marker), line = _POINTS[others.index(name) % len(_POINTS)], "none"
            label, area = plain(name), 11.0 if len(others) == 1 else 9.0
        for at, row in zip(x, of, strict=True):
            if row[f"{what}_low"] is not None:
                axis.plot([at, at], [100 * row[f"{what}_low"], 100 * row[f"{what}_high"]],
                          color=colour, lw=1.3, alpha=0.8)  # fmt: skip
        axis.plot(x, y, color=colour, marker=marker, ls=line, ms=area, lw=1.8, mec=INK, mew=0.6,
                  label=label, zorder=4)  # fmt: skip
    base = next((row for row in rows if row["selection"] == "baseline" and not row["size"]), None)
    if base is not None:
        level = 100 * base["accuracy"] if what == "accuracy" else 0.0
        axis.axhline(level, color=MUTED, lw=1.1, ls=(0, (4, 3)), label="baseline")
    axis.set_xticks(sizes, [_short(size) for size in sizes])
    axis.minorticks_off()
    axis.set_xlim(0, far * 1.08)
    axis.grid(visible=False, axis="x")
    axis.set_xlabel("records trained on")
    axis.set_title("Accuracy, %" if what == "accuracy" else "Gain over the baseline, %")


def _short(size: int) -> str:
    return f"{size // 1000}k" if size >= 10_000 and size % 1000 == 0 else f"{size:,}"
