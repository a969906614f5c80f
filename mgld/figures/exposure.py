"""RSR against how often the encoder was taught: a curve only a known world can show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mgld.figures.axes import jitter, new_figure, point_size, rank_axis, rsr_twin
from mgld.figures.drawing import Drawing
from mgld.figures.style import BLUE, GREY, INK, VERMILLION, WIDE, style

# 0, 1-3, 4-15, 16-63, 64-255, 256 and more: steps of four times, so that no bin is nearly empty
EDGES = (0, 1, 4, 16, 64, 256)


def draw_exposure(
    rank: npt.NDArray[np.int64],
    exposure: Mapping[str, npt.NDArray[np.int64]],
    names: int,
    *,
    width: float = WIDE,
) -> Drawing:
    """Median rank and middle half of the ranks against exposure, one panel a kind of exposure.

    rank: int64 [M] among `names`; exposure: what was counted -> int64 [M], how often it was shown.
    Exposure is binned by powers of four. Data: one row a panel and bin.
    """
    wide = width > 5
    panels = list(exposure.items())
    rows = [row for label, counts in panels for row in _bins(label, counts, rank, names)]
    with style("exposure"):
        figure = new_figure(width, 3.3 if wide else 0.4 + 2.9 * len(panels))
        grid = (1, len(panels)) if wide else (len(panels), 1)
        axes = figure.subplots(*grid, sharey=True, squeeze=False)
        for axis, (label, counts) in zip(axes.flat, panels, strict=True):
            bins = [row for row in rows if row["exposure"] == label]
            place = {row["bin"]: x for x, row in enumerate(bins)}
            _panel(axis, bins, place, counts, rank)
            rank_axis(axis, names)
            axis.set_title(label)
            axis.set_xlabel("times shown to the encoder")
            if not wide:
                # Where each bin begins is short enough to stand upright and be read on a phone.
                begins = [str(row["bin"]).partition("–")[0] for row in bins]
                axis.set_xticks(range(len(bins)), begins)
                axis.tick_params(labelsize=10)
                axis.set_xlabel("times shown to the encoder, from")
        for axis in axes[:, 0]:
            axis.set_ylabel("rank of the own name")
        for axis in axes[:, -1]:
            rsr_twin(axis, names)
    data = pa.Table.from_pylist(rows, schema=_SCHEMA)
    return Drawing(
        name="exposure",
        title="RSR against exposure",
        alt="Median rank of the own name against how often it was taught: "
        + "; ".join(
            f"{label}: " + ", ".join(
                f"{row['bin']} times: {row['median_rank']:g}"
                for row in rows if row["exposure"] == label
            )
            for label, _ in panels
        )
        + ".",
        data=data,
        figure=figure,
    )  # fmt: skip


def _panel(
    axis: Any,
    bins: list[dict[str, object]],
    place: dict[object, int],
    counts: npt.NDArray[np.int64],
    rank: npt.NDArray[np.int64],
) -> None:
    labels = [_bin_label(count) for count in counts.tolist()]
    x = np.array([place[label] for label in labels]) + jitter(len(rank), 0.3)
    y = rank * 10 ** jitter(len(rank) + 1, 0.09)[:-1]
    axis.scatter(x, y, s=point_size(len(rank)), c=GREY, alpha=0.4, lw=0, rasterized=True)
    axis.plot(range(len(bins)), [row["median_rank"] for row in bins], color=INK, lw=1, alpha=0.6)
    for row in bins:
        at = place[row["bin"]]
        colour = VERMILLION if row["low"] == 0 else BLUE
        axis.plot(
            [at, at], [row["rank_q25"], row["rank_q75"]], color=colour, lw=5, alpha=0.5,
            solid_capstyle="round",
        )  # fmt: skip
        axis.plot(at, row["median_rank"], "o", color=colour, ms=6.5, mec=INK, mew=0.7, zorder=5)
    axis.set_xticks(range(len(bins)), [str(row["bin"]) for row in bins])
    axis.set_xlim(-0.6, len(bins) - 0.4)
    axis.grid(visible=False, axis="x")


_SCHEMA = pa.schema(
    [
        ("exposure", pa.string()),
        ("bin", pa.string()),
        ("low", pa.int64()),
        ("landmarks", pa.int64()),
        ("median_rank", pa.float64()),
        ("rank_q25", pa.float64()),
        ("rank_q75", pa.float64()),
        ("median_rsr", pa.float64()),
        ("share_first", pa.float64()),
    ]
)


def _bin_label(count: int) -> str:
    low = max(edge for edge in EDGES if edge <= count)
    if low == EDGES[-1]:
        return f"{low}+"
    high = EDGES[EDGES.index(low) + 1] - 1
    return str(low) if low == high else f"{low}–{high}"


def _bins(
    label: str, counts: npt.NDArray[np.int64], rank: npt.NDArray[np.int64], names: int
) -> list[dict[str, object]]:
    """One row per bin that holds at least one record; bins without any are left out."""
    rows: list[dict[str, object]] = []
    which = np.searchsorted(EDGES, counts, side="right") - 1
    for position, low in enumerate(EDGES):
        ranks = rank[which == position]
        if len(ranks) == 0:
            continue
        q25, median, q75 = np.percentile(ranks, [25, 50, 75]).tolist()
        rows.append(
            {
                "exposure": label,
                "bin": _bin_label(low),
                "low": low,
                "landmarks": len(ranks),
                "median_rank": median,
                "rank_q25": q25,
                "rank_q75": q75,
                "median_rsr": 1 - (median - 1) / max(names - 1, 1),
                "share_first": float(np.mean(ranks == 1)),
            }
        )
    return rows
