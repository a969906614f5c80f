"""How many images each landmark has (the paper's Figure 9)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mgld.figures.axes import new_figure, percent
from mgld.figures.drawing import Drawing
from mgld.figures.style import BLUE, GREY, INK, MUTED, SKY, WIDE, style

# 1, 2, 3, 4, 5 | 6-10 | then ever wider; the paper's two shares fall on the borders 5 and 10.
EDGES = (0, 1, 2, 3, 4, 5, 6, 11, 21, 51, 101, 201, 501, 1001, 10**9)


def draw_images_per_landmark(image_count: npt.NDArray[np.int64], *, width: float = WIDE) -> Drawing:
    """Histogram of images per landmark, with the shares of at most 5 and at most 10.

    image_count: int64 [landmarks]. Landmarks without any image are counted too, in a bin of their
    own. Data: one row a bin, which add up to the landmarks, and the cumulative share.
    """
    counts, _ = np.histogram(image_count, bins=EDGES)
    first = 0 if counts[0] else 1
    last = int(np.flatnonzero(counts)[-1]) + 1 if counts.any() else 2
    labels = [_label(k) for k in range(first, last)]
    bins = counts[first:last]
    total = max(len(image_count), 1)
    shares = {limit: float(np.mean(image_count <= limit)) if len(image_count) else 0.0
              for limit in (5, 10)}  # fmt: skip
    colours = [BLUE if EDGES[k] <= 5 else SKY if EDGES[k] <= 10 else GREY
               for k in range(first, last)]  # fmt: skip
    with style("images-per-landmark"):
        if width > 5:
            figure = new_figure(width, 3.0)
            _columns(figure.subplots(), labels, bins.tolist(), colours, shares, first)
        else:
            figure = new_figure(width, 1.2 + 0.23 * len(bins))
            _rows(figure.subplots(), labels, bins.tolist(), colours, shares)
    data = pa.table(
        {
            "images": labels,
            "landmarks": pa.array(bins.tolist(), pa.int64()),
            "cumulative_share": np.cumsum(bins) / total,
        }
    )
    return Drawing(
        name="images-per-landmark",
        title="Images per landmark",
        alt=f"Histogram of images per landmark over {len(image_count):,} landmarks: "
        f"{percent(shares[5], 1)} have at most 5 images, {percent(shares[10], 1)} at most 10.",
        data=data,
        figure=figure,
    )


def _columns(
    axis: Any,
    labels: list[str],
    bins: list[int],
    colours: list[str],
    shares: dict[int, float],
    first: int,
) -> None:
    """Upright bars, with a line over those that each share sums; `first`: EDGES index of bar 0."""
    axis.bar(range(len(bins)), bins, width=0.82, color=colours)
    for x, count in enumerate(bins):
        axis.annotate(f"{count:,}", (x, count), (0, 3), textcoords="offset points",
                      ha="center", fontsize=8, color=MUTED)  # fmt: skip
    top = max([*bins, 1])
    axis.set_ylim(0, top * 1.42)
    for level, (limit, share) in enumerate(shares.items()):
        reach = sum(EDGES[first + k] <= limit for k in range(len(bins)))
        if not reach:
            continue
        y = top * (1.17 + 0.12 * level)
        axis.plot([-0.41, reach - 1 + 0.41], [y, y], color=INK, lw=1.1)
        axis.annotate(f"{percent(share, 1)} have at most {limit} images", (-0.41, y), (0, 3),
                      textcoords="offset points", fontsize=8.5, color=INK)  # fmt: skip
    axis.set_xticks(range(len(bins)), labels)
    axis.grid(visible=False, axis="x")
    axis.set_xlabel("images of the landmark")
    axis.set_ylabel("landmarks")
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _rows(
    axis: Any, labels: list[str], bins: list[int], colours: list[str], shares: dict[int, float]
) -> None:
    """Lying bars, whose labels stay upright and large on a phone; the key says the shares."""
    from matplotlib.legend_handler import HandlerTuple
    from matplotlib.patches import Patch

    axis.barh(range(len(bins)), bins, height=0.78, color=colours)
    for y, count in enumerate(bins):
        axis.annotate(f"{count:,}", (count, y), (4, 0), textcoords="offset points",
                      va="center", fontsize=10, color=MUTED)  # fmt: skip
    axis.set_xlim(0, max([*bins, 1]) * 1.18)
    axis.set_ylim(len(bins) - 0.4, -0.6)
    axis.set_yticks(range(len(bins)), labels, fontsize=10)
    axis.set_xticks([])
    axis.grid(visible=False)
    axis.spines["bottom"].set_visible(False)
    axis.set_ylabel("images of the landmark", fontsize=10)
    axis.legend(
        [(Patch(color=BLUE),), (Patch(color=BLUE), Patch(color=SKY))],
        [f"{percent(share, 1)} have at most {limit} images" for limit, share in shares.items()],
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0)},
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.2,
        fontsize=10,
    )


def _label(k: int) -> str:
    low, high = EDGES[k], EDGES[k + 1] - 1
    if k == len(EDGES) - 2:
        return f"{low:,}+"
    return f"{low}" if low == high else f"{low}–{high}"
