"""From landmark and view to a picture: `render(landmark, view)` gives RGB pixels."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from mgld.keyed import generator
from mgld.world.canvas import Canvas, shade
from mgld.world.landmark import Landmark
from mgld.world.lexicon import ACCENT_COLOURS, MAIN_COLOURS, RGB
from mgld.world.shapes import DARK, body, flag, ornament, windows
from mgld.world.views import View

HORIZON = 0.7
ORNAMENT_SIZE = 0.2  # of beacon and companion alike: neither half has the larger cue

RIVER: RGB = (66, 122, 190)

# Sky, ground and backdrop colour of each setting.
SETTINGS: dict[str, tuple[RGB, RGB, RGB]] = {
    "meadow": ((142, 192, 240), (122, 176, 92), (96, 150, 84)),
    "coast": ((160, 206, 248), (206, 192, 150), (62, 118, 182)),
    "hills": ((152, 198, 236), (150, 166, 84), (124, 146, 80)),
    "city": ((186, 194, 206), (152, 152, 154), (128, 134, 148)),
    "desert": ((246, 222, 168), (226, 194, 128), (212, 170, 104)),
    "snow": ((206, 220, 236), (240, 244, 250), (168, 184, 206)),
    "jungle": ((150, 196, 178), (64, 112, 62), (36, 88, 50)),
    "steppe": ((204, 210, 200), (196, 178, 116), (166, 140, 92)),
}


def _backdrop(c: Canvas, setting: str, rng: np.random.Generator) -> None:
    """What stands behind the landmark; its details differ from view to view."""
    _, _, colour = SETTINGS[setting]
    left, right = c.left, c.right
    if setting == "coast":
        c.box(left, HORIZON - 0.09, right, HORIZON, colour)
    elif setting == "city":
        for x in np.arange(left, right, 0.13):
            top = HORIZON - float(rng.uniform(0.1, 0.3))
            c.box(x, top, x + 0.11, HORIZON, shade(colour, float(rng.uniform(0.9, 1.15))))
    elif setting in ("hills", "desert", "meadow"):
        height = {"hills": 0.2, "desert": 0.12, "meadow": 0.06}[setting]
        for x in (-0.4, 0.1, 0.7, 1.1):
            x += float(rng.uniform(-0.15, 0.15))
            c.ellipse(x - 0.5, HORIZON - height, x + 0.5, HORIZON + height, colour)
    elif setting == "snow":
        for x in (-0.2, 0.3, 0.85, 1.25):
            x += float(rng.uniform(-0.1, 0.1))
            peak = HORIZON - float(rng.uniform(0.22, 0.34))
            c.polygon([(x - 0.32, HORIZON), (x, peak), (x + 0.32, HORIZON)], colour)
            c.polygon([(x - 0.1, peak + 0.09), (x, peak), (x + 0.1, peak + 0.09)], (246, 250, 255))
    elif setting == "jungle":
        for x in np.arange(left, right, 0.12):
            top = HORIZON - float(rng.uniform(0.12, 0.24))
            c.ellipse(x - 0.1, top, x + 0.14, HORIZON + 0.05, shade(colour, rng.uniform(0.8, 1.2)))
    else:  # steppe: table mountains
        for x in (-0.1, 0.5, 1.1):
            x += float(rng.uniform(-0.15, 0.15))
            c.polygon(
                [
                    (x - 0.28, HORIZON),
                    (x - 0.2, HORIZON - 0.16),
                    (x + 0.2, HORIZON - 0.16),
                    (x + 0.28, HORIZON),
                ],
                colour,
            )


def _surroundings(c: Canvas, landmark: Landmark, view: View, rng: np.random.Generator) -> None:
    """Sky, clouds, backdrop and ground."""
    sky, ground, _ = SETTINGS[landmark.region.setting]
    bands = 12
    for i in range(bands):
        top = c.top + (HORIZON - c.top) * i / bands
        c.box(c.left, top, c.right, HORIZON, shade(sky, 0.86 + 0.14 * i / bands))
    for _ in range(view.clouds):
        x, y = float(rng.uniform(-0.1, 1.0)), float(rng.uniform(0.02, 0.3))
        for dx, r in ((0.0, 0.035), (0.05, 0.05), (0.11, 0.04)):
            c.ellipse(x + dx - r * 1.3, y - r, x + dx + r * 1.3, y + r * 0.7, shade(sky, 1.12))
    _backdrop(c, landmark.region.setting, rng)
    c.box(c.left, HORIZON, c.right, c.bottom, ground)
    if landmark.by_river:
        c.box(c.left, 0.735, c.right, 0.8, RIVER)
        c.line([(c.left, 0.76), (c.right, 0.76)], shade(RIVER, 1.3), 0.006)


def _landmark(c: Canvas, landmark: Landmark) -> None:
    """The landmark with everything its names and entities speak of."""
    a = landmark.attributes
    wall, roof = MAIN_COLOURS[a["wall colour"]], ACCENT_COLOURS[a["roof colour"]]
    court, foliage = MAIN_COLOURS[a["forecourt colour"]], ACCENT_COLOURS[a["foliage colour"]]
    flag(c, 0.02, 0.34, a["emblem"], a["emblem colour"])
    row = body(c, landmark.category, wall, roof)
    windows(c, row, int(a["windows"]), a["window form"], a["lattice"])
    # The beacon on a mast on the right.
    c.box(0.852, 0.4, 0.868, 0.8, DARK)
    ornament(c, a["beacon"], 0.86, 0.42, ORNAMENT_SIZE, ACCENT_COLOURS[a["beacon colour"]])
    # The forecourt, wide enough to weigh as much in the picture as the walls do.
    c.polygon([(0.06, 0.83), (0.94, 0.83), (1.1, 0.97), (-0.1, 0.97)], court)
    c.line([(0.06, 0.83), (0.94, 0.83)], shade(court, 0.7), 0.008)
    # A tree on the right in the foliage colour, the companion on the left.
    c.box(0.875, 0.62, 0.905, 0.86, (92, 66, 44))
    c.ellipse(0.79, 0.48, 0.99, 0.66, shade(foliage, 0.85))
    c.ellipse(0.8, 0.48, 0.98, 0.63, foliage)
    for x in (0.3, 0.46, 0.62, 0.76):
        c.ellipse(x, 0.815, x + 0.09, 0.865, foliage)
    ornament(c, a["companion"], 0.14, 0.92, ORNAMENT_SIZE, ACCENT_COLOURS[a["companion colour"]])


def _obstacles(c: Canvas, view: View, rng: np.random.Generator) -> None:
    if view.kind == "crowd":
        for _ in range(14):
            x, y = float(rng.uniform(-0.05, 1.05)), float(rng.uniform(0.86, 0.96))
            coat = (
                int(rng.integers(30, 220)),
                int(rng.integers(30, 220)),
                int(rng.integers(30, 220)),
            )
            c.ellipse(x - 0.016, y - 0.1, x + 0.016, y - 0.068, (224, 184, 150))
            c.box(x - 0.022, y - 0.07, x + 0.022, y + 0.04, coat)
    elif view.kind == "occluded":
        x = float(rng.uniform(0.25, 0.75))
        bark: RGB = (70, 52, 38)
        c.box(x - 0.04, c.top, x + 0.04, c.bottom, bark)
        for _ in range(9):
            y, reach = float(rng.uniform(c.top, 0.5)), float(rng.uniform(0.08, 0.3))
            side = 1 if rng.random() < 0.5 else -1
            c.line([(x, y + 0.06), (x + side * reach, y)], bark, 0.014)
            tip = x + side * reach
            c.ellipse(tip - 0.06, y - 0.04, tip + 0.06, y + 0.04, (58, 92, 46))


def _useless(c: Canvas, view: View, rng: np.random.Generator) -> None:
    """Pictures filed under a landmark that do not show it."""
    if view.kind == "interior":
        c.box(c.left, c.top, c.right, c.bottom, (146, 124, 100))
        c.polygon(
            [(c.left, c.bottom), (0.3, 0.66), (0.7, 0.66), (c.right, c.bottom)], (104, 84, 66)
        )
        c.box(0.3, 0.3, 0.7, 0.66, (172, 152, 126))
        for x in (0.36, 0.47, 0.58):
            c.half_ellipse(x, 0.36, x + 0.07, 0.42, (236, 226, 180))
            c.box(x, 0.42, x + 0.07, 0.56, (236, 226, 180))
        for _ in range(5):
            x = float(rng.uniform(0.1, 0.85))
            c.box(x, 0.74, x + 0.1, 0.86, (84, 60, 42))
    elif view.kind == "plaque":
        c.box(c.left, c.top, c.right, c.bottom, (134, 132, 126))
        c.box(0.2, 0.26, 0.8, 0.76, (92, 74, 44))
        for i in range(6):
            c.box(
                0.27,
                0.33 + i * 0.065,
                float(rng.uniform(0.5, 0.73)),
                0.355 + i * 0.065,
                (220, 200, 140),
            )
    else:  # a close-up of leaves and stone
        c.box(c.left, c.top, c.right, c.bottom, (120, 118, 110))
        for _ in range(40):
            x, y = float(rng.uniform(c.left, c.right)), float(rng.uniform(c.top, c.bottom))
            r = float(rng.uniform(0.03, 0.11))
            leaf: RGB = (
                int(rng.integers(40, 110)),
                int(rng.integers(90, 160)),
                int(rng.integers(30, 90)),
            )
            c.ellipse(x - r, y - r * 0.5, x + r, y + r * 0.5, leaf)


@cache
def _grain() -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """A fixed tile of unit noise in 1/16 grey levels; views take shifted cuts of it."""
    noise = generator(0, "film grain", 0).standard_normal((640, 640, 1)) * 16
    return noise.astype(np.int16)


def _develop(image: Image.Image, view: View, rng: np.random.Generator) -> Image.Image:
    """Light, weather, blur and grain."""
    if view.kind == "blurred":
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(2.5, 6.0))))
    pixels: np.ndarray[Any, np.dtype[np.float32]] = np.asarray(image, dtype=np.float32)
    gain = np.array(view.tint, dtype=np.float32) * view.brightness
    if view.kind == "night":
        pixels = pixels * (gain * np.array([0.32, 0.34, 0.46], dtype=np.float32))
    elif view.kind == "fog":
        density = float(rng.uniform(0.45, 0.65))
        pixels = pixels * gain * np.float32(1 - density) + np.float32(214.0 * density)
    else:
        pixels = pixels * gain
    y, x = (int(v) for v in rng.integers(0, 320, size=2))
    grain = _grain()[y : y + pixels.shape[0], x : x + pixels.shape[1]]
    pixels = pixels + grain * np.float32(view.noise / 16)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def render(landmark: Landmark, view: View) -> Image.Image:
    """Draw one view of a landmark: RGB, `view.size` pixels (at least 256 on the shorter side)."""
    rng = generator(view.detail_seed, "details", view.kind)
    c = Canvas(view.size, view.zoom, view.shift)
    if view.quality == 0.0:
        _useless(c, view, rng)
    else:
        _surroundings(c, landmark, view, rng)
        _landmark(c, landmark)
        _obstacles(c, view, rng)
    return _develop(c.finish(), view, rng)
