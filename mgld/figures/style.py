"""One look for every figure: sizes, fonts, and a palette safe for colour-blind readers.

Colours that belong to the page (ink, grid, background) are looked up by the reader's theme: the SVG
writer (`mgld.figures.svg`) turns each of them into a CSS variable, so a figure follows light and
dark. Colours of data are Okabe and Ito's; those of the subsets (the purple a little darkened) keep
a contrast of at least 3:1 on a white and on a near-black page, because points drawn as pixels
cannot change with the theme.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INK = "#17212b"
MUTED = "#55626f"
GRID = "#dfe4e9"
SURFACE = "#fefefe"

# colour drawn -> CSS variable it becomes in an SVG
THEME = {INK: "--ink", MUTED: "--muted", GRID: "--line", SURFACE: "--surface"}
# the same variables on a dark page, for an SVG file that stands alone
DARK = {INK: "#e7ecf1", MUTED: "#9eabb8", GRID: "#2b3641", SURFACE: "#161d25"}

BLUE = "#0072b2"
GREEN = "#009e73"
VERMILLION = "#d55e00"
ORANGE = "#e69f00"
SKY = "#56b4e9"
PURPLE = "#b5648f"
VIOLET = "#8c66ff"
OLIVE = "#6f6132"
GREY = "#84909c"

METHODS = ("hds", "hss", "lcs", "brs")
METHOD_COLOUR = {"hds": BLUE, "hss": GREEN, "lcs": VERMILLION, "brs": PURPLE}
METHOD_MARK = {"hds": "o", "hss": "^", "lcs": "s", "brs": "D"}
METHOD_RULE = {
    "hds": "highest RSR",
    "hss": "highest Sim",
    "lcs": "both low",
    "brs": "random",
}

# How often a world's encoder was taught a landmark: unknown is vermillion, well known is blue.
TIERS = ("never", "rare", "some", "often")
TIER_COLOUR = {"never": VERMILLION, "rare": ORANGE, "some": SKY, "often": BLUE}

# Categories of one figure, most frequent first: colour and marker. Every two colours differ by 14
# (CIE76) or more for normal and for red-, green- and blue-blind eyes; the markers say it again.
CATEGORY_MARKS = (
    (BLUE, "o"),
    (VERMILLION, "s"),
    (GREEN, "^"),
    (ORANGE, "D"),
    (VIOLET, "v"),
    (SKY, "P"),
    (OLIVE, "X"),
    (PURPLE, "h"),
)

WIDE = 8.0  # inches: a figure across a page of about 1,000 px
NARROW = 3.7  # inches: the same figure on a phone

_RC: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.7,
    "axes.prop_cycle": "cycler('color', ['#0072b2', '#009e73', '#d55e00', '#b5648f'])",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.size": 8.5,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "path.simplify": True,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",  # text stays text: searchable, and in the page's own font
    # Labels come from data: "$" in a name is a dollar, never mathematics.
    "text.parse_math": False,
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelsize": 8,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.color": MUTED,
    "ytick.labelsize": 8,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}


@contextmanager
def style(salt: str = "mgld") -> Iterator[None]:
    """Matplotlib's settings while a figure is drawn or saved; `salt` makes SVG ids repeatable."""
    import warnings

    from matplotlib import rc_context

    with rc_context({**_RC, "svg.hashsalt": salt}), warnings.catch_warnings():
        # Names are in any script: a PNG has boxes for what its font has not, an SVG has the text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield
