"""A photograph inside a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mgld.figures.style import MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def picture(
    figure: Figure,
    pixels: npt.NDArray[np.uint8] | None,
    x: float,
    y: float,
    width: float,
    height: float,
) -> Axes:
    """Show uint8 [height, width, 3] whole, as large as `width` x `height` inches let it.

    x, y: the upper left corner of that place, in inches from that of the figure. None is an empty
    frame that says so. Gives the axes it is in.
    """
    wide, high = figure.get_size_inches()
    axis = figure.add_axes((x / wide, 1 - (y + height) / high, width / wide, height / high))
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(visible=False)
    if pixels is None:
        axis.text(0.5, 0.5, "no picture", ha="center", va="center", fontsize=7, color=MUTED)
        axis.spines[:].set_visible(True)
    else:
        axis.imshow(pixels, aspect="equal", interpolation="antialiased")
        axis.set_anchor("NW")
        axis.spines[:].set_visible(False)
    return axis
