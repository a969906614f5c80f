"""What can be said of a picture from its pixels alone: colours, light, framing, sky.

Plain NumPy on a small thumbnail, so it is fast and the same on every machine. It says nothing about
what the picture shows; that is the point of an annotator that must never make things up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64  # pixels; enough for shares of area, and blurs noise away
COLOURS = ("black", "white", "grey", "red", "orange", "brown", "yellow", "green", "blue", "purple")
BLACK, WHITE, GREY, RED, ORANGE, BROWN, YELLOW, GREEN, BLUE, PURPLE = range(len(COLOURS))

# Upper hue limits in degrees; red wraps around.
_HUES = (
    (15, RED),
    (45, ORANGE),
    (70, YELLOW),
    (165, GREEN),
    (260, BLUE),
    (335, PURPLE),
    (360, RED),
)


class PictureFacts(NamedTuple):
    """Facts of one picture.

    colours: one or two colour names, the commonest first.
    light: "night", "dim", "daylight" or "bright".
    framing: "wide", "upright" or "square".
    sky: share of the frame that reads as open sky from the top edge, 0 to 1.
    sky_colour: its commonest colour, "" where there is no sky.
    centre, bottom: the commonest colour of those parts of the frame.
    contrast: "strong", "moderate" or "soft".
    """

    colours: tuple[str, ...]
    light: str
    framing: str
    sky: float
    sky_colour: str
    centre: str
    bottom: str
    contrast: str


def describe_picture(image: Image.Image, *, width: int, height: int) -> PictureFacts:
    """Facts of an RGB picture; `width` and `height` are its size in pixels as it is looked at."""
    thumbnail = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    rgb_HW3 = np.asarray(thumbnail, dtype=np.float32) / 255.0
    colour_HW = name_colours(rgb_HW3)
    luma_HW = rgb_HW3 @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    third = SIDE // 3
    sky_HW = sky_mask(colour_HW, luma_HW)
    return PictureFacts(
        colours=_dominant(colour_HW),
        light=_light(luma_HW),
        framing="wide" if width > 1.1 * height else "upright" if height > 1.1 * width else "square",
        sky=float(sky_HW.mean()),
        sky_colour=_commonest(colour_HW[sky_HW]) if sky_HW.any() else "",
        centre=_commonest(colour_HW[third:-third, third:-third]),
        bottom=_commonest(colour_HW[-third:]),
        contrast=_contrast(luma_HW),
    )


def name_colours(rgb_HW3: NDArray[np.float32]) -> NDArray[np.int64]:
    """Index into COLOURS for every pixel of an RGB array in [0, 1], by hue, chroma and value."""
    high = rgb_HW3.max(axis=-1)
    low = rgb_HW3.min(axis=-1)
    chroma = high - low
    saturation = chroma / np.maximum(high, 1e-6)
    red, green, blue = np.moveaxis(rgb_HW3, -1, 0)
    safe = np.maximum(chroma, 1e-6)
    hue = np.where(
        high == red,
        (green - blue) / safe % 6,
        np.where(high == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    degrees = hue * 60
    named = np.full(high.shape, RED, dtype=np.int64)
    for limit, colour in reversed(_HUES):
        named[degrees <= limit] = colour
    # Dark or dull orange and red are what people call brown.
    warm = (named == ORANGE) | ((named == RED) & (degrees <= 15))
    named[warm & ((high < 0.65) | (saturation < 0.5))] = BROWN
    # Grass in the sun is a dark yellow by hue; straw and earth are a darker orange.
    olive = (named == YELLOW) & (high < 0.75)
    named[olive] = np.where(degrees[olive] >= 54, GREEN, BROWN)
    dull = saturation < 0.16
    named[dull] = GREY
    named[dull & (high > 0.86)] = WHITE
    named[high < 0.16] = BLACK
    return named


def sky_mask(colour_HW: NDArray[np.int64], luma_HW: NDArray[np.float32]) -> NDArray[np.bool_]:
    """What reads as sky: blue, white or light grey, unbroken from the top edge.

    A column ends at the first pixel of another colour or at a sharp step in brightness.
    """
    sky = (
        (colour_HW == BLUE) | (colour_HW == WHITE) | ((colour_HW == GREY) & (luma_HW > 0.55))
    ) & (luma_HW > 0.3)
    steps = np.abs(np.diff(luma_HW, axis=0, prepend=luma_HW[:1])) < 0.08
    unbroken: NDArray[np.bool_] = np.logical_and.accumulate(sky & steps, axis=0)
    return unbroken


def _dominant(colour_HW: NDArray[np.int64]) -> tuple[str, ...]:
    counts = np.bincount(colour_HW.ravel(), minlength=len(COLOURS))
    order = sorted(range(len(COLOURS)), key=lambda colour: (-counts[colour], colour))
    second = order[1:2] if counts[order[1]] >= 0.15 * colour_HW.size else []
    return tuple(COLOURS[colour] for colour in [order[0], *second])


def _commonest(colour_HW: NDArray[np.int64]) -> str:
    return COLOURS[int(np.bincount(colour_HW.ravel(), minlength=len(COLOURS)).argmax())]


def _light(luma_HW: NDArray[np.float32]) -> str:
    mean = float(luma_HW.mean())
    if mean < 0.2:
        return "night"
    if mean < 0.33:
        return "dim"
    return "bright" if mean > 0.68 else "daylight"


def _contrast(luma_HW: NDArray[np.float32]) -> str:
    spread = float(luma_HW.std())
    return "strong" if spread > 0.25 else "soft" if spread < 0.13 else "moderate"
