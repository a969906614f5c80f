"""Pieces shared by several figures: canvases, the rank axis, numbers in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches, outside pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def new_page(width: float, height: float) -> Figure:
    """The same for a figure whose parts are placed by hand, in which nothing makes room."""
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    return figure


def rank_ticks(count: int) -> list[int]:
    """1, 10, 100, ... below `count`, and `count` itself, without crowding its neighbour."""
    ticks = [10**k for k in range(12) if 10**k < count]
    if len(ticks) > 1 and count / ticks[-1] < 2.5:
        ticks.pop()
    return [*ticks, count] if count > 1 else [1]


def rank_axis(axis: Any, count: int) -> None:
    """Make a y axis of ranks: logarithmic, 1 at the top, `count` candidate names at the bottom.

    RSR = 1 - (rank - 1) / (N - 1) is within 1 % of 1 for the hundredth of 10,000 names; only the
    logarithm of the rank shows who is first, tenth or hundredth.
    """
    axis.set_yscale("log")
    axis.set_ylim(max(count, 2) * 1.25, 0.72)
    axis.set_yticks(rank_ticks(count), [f"{tick:,}" for tick in rank_ticks(count)])
    axis.minorticks_off()


def rsr_twin(axis: Axes, count: int) -> None:
    """Write the RSR that belongs to each tick of a rank axis on its right side."""
    right = axis.twinx()
    right.set_yscale("log")
    right.set_ylim(axis.get_ylim())
    ticks = rank_ticks(count)
    right.set_yticks(ticks, [rsr_text(tick, count) for tick in ticks])
    right.minorticks_off()
    right.grid(visible=False)
    right.set_ylabel("RSR")


def rsr_text(rank: int, count: int) -> str:
    """RSR in as few digits as tell it from 1; exactly "1" and "0" at the two ends."""
    if rank <= 1 or count <= 1:
        return "1"
    if rank >= count:
        return "0"
    value = 1 - (rank - 1) / (count - 1)
    digits = min(max(2, int(np.ceil(-np.log10(1 - value)))), 7)
    # Rounded down: 0.9996 must not turn into 1.00.
    return f"{np.floor(value * 10**digits) / 10**digits:.{digits}f}"


def jitter(size: int, spread: float) -> npt.NDArray[np.float64]:
    """`size` fixed pseudo-random offsets in [-spread, spread], so that equal points show."""
    return np.random.Generator(np.random.Philox(key=size)).uniform(-spread, spread, size)


def point_size(count: int) -> float:
    """Area of a scatter point in square points: large for hundreds of points, tiny for 100,000."""
    return float(np.clip(9000 / max(count, 1), 0.6, 12))


def percent(part: float, whole: float, digits: int = 0) -> str:
    """`part` of `whole` as "12 %"; a thin no-break space before the sign."""
    return f"{100 * part / whole if whole else 0:.{digits}f} %"
