"""How far down the own name stands, for landmarks the encoder was taught and not taught."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mgld.figures.axes import new_figure, percent, rank_ticks
from mgld.figures.drawing import Drawing
from mgld.figures.style import INK, MUTED, TIER_COLOUR, TIERS, WIDE, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CUTS = (1, 10, 100)
_TAUGHT = {
    "never": "never taught",
    "rare": "rarely",
    "some": "sometimes",
    "often": "often taught",
}


def draw_known_unknown(
    rank: npt.NDArray[np.int64], tier: Sequence[str], names: int, *, width: float = WIDE
) -> Drawing:
    """Cumulative match curve of the own name's rank per tier of teaching (procedural worlds).

    rank: int64 [M] among `names` candidates; tier: M of "never", "rare", "some", "often". The
    dashed line is chance. Data: one row a tier with its size, shares within the first 1, 10 and
    100, median rank, median RSR, and the AUC of RSR against the landmarks never taught.
    """
    tiers = np.asarray(tier, dtype=object)
    groups = {name: np.sort(rank[tiers == name]) for name in TIERS if (tiers == name).any()}
    wide = width > 5
    with style("known-unknown"):
        figure = new_figure(width, 3.6 if wide else 3.7)
        axis = figure.subplots()
        grid = np.unique(np.round(np.geomspace(1, max(names, 2), 400)).astype(np.int64))
        axis.plot(grid, 100 * grid / names, color=MUTED, lw=1.1, ls=(0, (4, 3)))
        for name, ranks in groups.items():
            share = 100 * np.searchsorted(ranks, grid, side="right") / len(ranks)
            axis.step(grid, share, where="post", color=TIER_COLOUR[name], lw=2.4)
            axis.plot(1, share[0], "o", color=TIER_COLOUR[name], ms=6, clip_on=False, zorder=4)
        axis.set_xscale("log")
        axis.set_xlim(0.93, max(names, 2))
        axis.set_xticks(rank_ticks(names), [f"{tick:,}" for tick in rank_ticks(names)])
        axis.minorticks_off()
        axis.set_ylim(0, 103)
        axis.set_yticks([0, 25, 50, 75, 100], ["0", "25", "50", "75", "100 %"])
        axis.set_xlabel("the own name is among the first …")
        axis.set_ylabel("share of landmarks")
        _key(figure, groups, columns=5 if wide else 2)
    data = tier_table(groups, names)
    summary = ", ".join(
        f"{row['tier']} {percent(row['share_first_1'], 1)} of {row['landmarks']:,}"
        for row in data.to_pylist()
    )
    return Drawing(
        name="known-unknown",
        title="Known against unknown landmarks",
        alt=f"Share of landmarks whose own name comes first, by how often they were taught: "
        f"{summary}.",
        data=data,
        figure=figure,
    )


def _key(figure: Figure, groups: dict[str, npt.NDArray[np.int64]], *, columns: int) -> None:
    """A legend above the plot: colour, meaning and size of each tier, best known first."""
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=TIER_COLOUR[name], lw=2.4, label=f"{_TAUGHT[name]} ({len(ranks):,})")
        for name, ranks in reversed(list(groups.items()))
    ]
    lines.append(Line2D([], [], color=MUTED, lw=1.1, ls=(0, (4, 3)), label="chance"))
    figure.legend(handles=lines, loc="outside upper left", ncols=columns, fontsize=8,
                  labelcolor=INK, handlelength=1.6, columnspacing=1.6)  # fmt: skip


def tier_table(groups: dict[str, npt.NDArray[np.int64]], names: int) -> pa.Table:
    """One row a tier: size, shares within the first 1, 10, 100, median rank and RSR, AUC."""
    never = groups.get("never")
    rows = []
    for name, ranks in groups.items():
        median = float(np.median(ranks))
        rows.append(
            {"tier": name, "landmarks": len(ranks)}
            | {f"share_first_{cut}": float(np.mean(ranks <= cut)) for cut in CUTS}
            | {
                "median_rank": median,
                "median_rsr": 1 - (median - 1) / max(names - 1, 1),
                "auc_against_never": None if never is None or name == "never"
                else rank_auc(ranks, never),
            }
        )  # fmt: skip
    schema = pa.schema(
        [("tier", pa.string()), ("landmarks", pa.int64())]
        + [(f"share_first_{cut}", pa.float64()) for cut in CUTS]
        + [(n, pa.float64()) for n in ("median_rank", "median_rsr", "auc_against_never")]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def rank_auc(better: npt.NDArray[np.int64], worse: npt.NDArray[np.int64]) -> float:
    """Probability that a rank drawn from `better` is smaller than one from `worse`; ties half.

    Both int64, not empty. This is the area under the ROC curve of RSR as a detector.
    """
    ordered = np.sort(worse)
    above = len(ordered) - np.searchsorted(ordered, better, side="right")
    equal = np.searchsorted(ordered, better, side="right") - np.searchsorted(ordered, better)
    return float((above + 0.5 * equal).sum() / (len(better) * len(worse)))
