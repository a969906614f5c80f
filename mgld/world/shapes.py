"""The shapes landmarks are composed of: sixteen bodies, eight ornaments, windows, a flag."""

from __future__ import annotations

import math
from collections.abc import Callable

from mgld.world.canvas import Canvas, shade
from mgld.world.lexicon import EMBLEM_COLOURS, RGB, Category

DARK: RGB = (38, 34, 34)
GLASS: RGB = (74, 92, 118)
GROUND = 0.8  # y of the landmark's foot


WindowRow = tuple[float, float, float]  # x from, x to, y


def _gable(c: Canvas, x0: float, x1: float, y: float, rise: float, colour: RGB) -> None:
    middle = (x0 + x1) / 2
    c.polygon([(x0 - 0.02, y), (middle, y - rise), (x1 + 0.02, y)], colour)
    c.polygon([(middle, y - rise), (x1 + 0.02, y), (middle, y)], shade(colour, 0.85))


def church(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """A nave with a steeple."""
    c.box(0.34, 0.52, 0.72, GROUND, wall)
    _gable(c, 0.34, 0.72, 0.52, 0.13, roof)
    c.box(0.26, 0.36, 0.4, GROUND, shade(wall, 0.85))
    _gable(c, 0.26, 0.4, 0.36, 0.12, roof)
    return (0.42, 0.7, 0.6)


def castle(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """A keep between two round towers."""
    c.box(0.3, 0.48, 0.7, GROUND, wall)
    for i in range(5):
        c.box(0.31 + i * 0.08, 0.45, 0.355 + i * 0.08, 0.48, wall)
    for x in (0.2, 0.68):
        c.box(x, 0.42, x + 0.12, GROUND, shade(wall, 0.85))
        _gable(c, x, x + 0.12, 0.42, 0.14, roof)
    c.box(0.44, 0.38, 0.56, 0.48, shade(wall, 0.92))
    c.box(0.42, 0.35, 0.58, 0.39, roof)
    return (0.33, 0.67, 0.58)


def mountain(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """A peak with a coloured cap."""
    c.polygon([(0.1, GROUND), (0.42, 0.4), (0.5, 0.34), (0.6, 0.44), (0.9, GROUND)], wall)
    c.polygon([(0.5, 0.34), (0.6, 0.44), (0.9, GROUND), (0.58, GROUND)], shade(wall, 0.8))
    c.polygon(
        [(0.37, 0.48), (0.42, 0.4), (0.5, 0.34), (0.6, 0.44), (0.64, 0.49), (0.5, 0.53)], roof
    )
    return (0.32, 0.68, 0.66)


def lake(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """Coloured water with an islet and a pavilion."""
    c.ellipse(0.1, 0.5, 0.9, 0.82, shade(wall, 0.8))
    c.ellipse(0.12, 0.51, 0.88, 0.8, wall)
    c.ellipse(0.36, 0.56, 0.64, 0.66, (96, 120, 70))
    c.box(0.42, 0.46, 0.58, 0.6, shade(wall, 0.9))
    _gable(c, 0.4, 0.6, 0.47, 0.1, roof)
    return (0.18, 0.82, 0.68)


def bridge(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """A deck on arches between two pylons."""
    c.box(0.06, 0.54, 0.94, 0.64, wall)
    for x in (0.08, 0.36, 0.64):
        c.box(x, 0.62, x + 0.07, GROUND + 0.02, shade(wall, 0.85))
    c.box(0.88, 0.62, 0.94, GROUND + 0.02, shade(wall, 0.85))
    for x in (0.24, 0.66):
        c.box(x, 0.38, x + 0.1, 0.66, shade(wall, 0.85))
        _gable(c, x, x + 0.1, 0.38, 0.1, roof)
        c.line([(x + 0.05, 0.4), (0.5, 0.54)], DARK, 0.008)
    c.box(0.45, 0.44, 0.55, 0.54, wall)
    c.box(0.43, 0.41, 0.57, 0.45, roof)
    return (0.1, 0.9, 0.57)


def arena(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """An oval stand under a coloured ring."""
    c.box(0.1, 0.56, 0.9, 0.72, wall)
    c.ellipse(0.1, 0.62, 0.9, 0.82, wall)
    c.ellipse(0.1, 0.46, 0.9, 0.66, roof)
    c.ellipse(0.2, 0.5, 0.8, 0.62, shade(wall, 0.7))
    c.box(0.46, 0.42, 0.54, 0.52, shade(wall, 0.9))
    return (0.16, 0.84, 0.68)


def lighthouse(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """A tapering tower with a lantern room."""
    c.polygon([(0.36, GROUND), (0.43, 0.38), (0.57, 0.38), (0.64, GROUND)], wall)
    c.polygon([(0.52, 0.38), (0.57, 0.38), (0.64, GROUND), (0.54, GROUND)], shade(wall, 0.85))
    c.box(0.38, 0.54, 0.62, 0.59, roof)
    c.box(0.44, 0.33, 0.56, 0.38, (250, 240, 170))
    c.half_ellipse(0.42, 0.26, 0.58, 0.33, roof)
    return (0.39, 0.61, 0.64)


def palace(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """A wide front with a raised middle."""
    c.box(0.1, 0.52, 0.9, GROUND, wall)
    c.box(0.08, 0.47, 0.92, 0.53, roof)
    c.box(0.38, 0.42, 0.62, GROUND, shade(wall, 0.88))
    _gable(c, 0.38, 0.62, 0.43, 0.1, roof)
    return (0.13, 0.87, 0.6)


def tower(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """A square tower with a gallery."""
    c.box(0.38, 0.38, 0.62, GROUND, wall)
    c.box(0.53, 0.38, 0.62, GROUND, shade(wall, 0.85))
    c.box(0.34, 0.34, 0.66, 0.4, roof)
    c.box(0.4, 0.3, 0.6, 0.35, wall)
    c.box(0.36, 0.58, 0.64, 0.61, roof)
    return (0.39, 0.61, 0.66)


def statue(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """A figure on a plinth, its cloak in the roof colour."""
    c.box(0.3, 0.62, 0.7, GROUND, wall)
    c.box(0.34, 0.56, 0.66, 0.63, shade(wall, 0.85))
    c.polygon([(0.38, 0.57), (0.44, 0.36), (0.56, 0.36), (0.62, 0.57)], roof)
    c.ellipse(0.45, 0.27, 0.55, 0.38, wall)
    return (0.33, 0.67, 0.68)


def temple(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """Three storeys under curved eaves."""
    for i, half in enumerate((0.26, 0.2, 0.14)):
        foot = GROUND - i * 0.15
        c.box(0.5 - half, foot - 0.12, 0.5 + half, foot, wall)
        eave = half + 0.07
        c.polygon(
            [
                (0.5 - eave, foot - 0.11),
                (0.5 - half * 0.6, foot - 0.17),
                (0.5 + half * 0.6, foot - 0.17),
                (0.5 + eave, foot - 0.11),
            ],
            roof,
        )
    return (0.27, 0.73, 0.7)


def waterfall(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """A cliff with falling water and coloured scrub on its edge."""
    c.polygon([(0.12, GROUND), (0.18, 0.44), (0.82, 0.44), (0.88, GROUND)], wall)
    c.box(0.14, 0.38, 0.86, 0.46, roof)
    c.box(0.42, 0.4, 0.58, GROUND, (206, 228, 246))
    c.line([(0.47, 0.42), (0.47, 0.8)], (236, 246, 252), 0.012)
    c.ellipse(0.34, 0.77, 0.66, 0.84, (186, 214, 240))
    c.box(0.24, 0.36, 0.34, 0.42, shade(wall, 0.85))
    return (0.62, 0.84, 0.58)


def gate(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """Two piers and a lintel with a coloured attic."""
    for x in (0.2, 0.62):
        c.box(x, 0.46, x + 0.18, GROUND, wall)
    c.box(0.2, 0.42, 0.8, 0.54, shade(wall, 0.88))
    c.box(0.18, 0.36, 0.82, 0.43, roof)
    return (0.22, 0.78, 0.46)


def windmill(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """A tapering mill with four sails."""
    c.polygon([(0.34, GROUND), (0.41, 0.46), (0.59, 0.46), (0.66, GROUND)], wall)
    c.polygon([(0.52, 0.46), (0.59, 0.46), (0.66, GROUND), (0.54, GROUND)], shade(wall, 0.85))
    c.half_ellipse(0.39, 0.36, 0.61, 0.47, roof)
    for quarter in range(4):
        angle = 0.6 + quarter * math.pi / 2
        tip = (0.5 + 0.26 * math.cos(angle), 0.5 + 0.26 * math.sin(angle))
        c.line([(0.5, 0.5), tip], shade(wall, 0.6), 0.03)
    return (0.38, 0.62, 0.68)


def aqueduct(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """Two tiers of arches under a coloured channel."""
    c.box(0.06, 0.44, 0.94, GROUND, wall)
    for i in range(5):
        x = 0.1 + i * 0.17
        c.box(x, 0.66, x + 0.12, GROUND, shade(wall, 0.45))
        c.half_ellipse(x, 0.6, x + 0.12, 0.66, shade(wall, 0.45))
    c.box(0.04, 0.39, 0.96, 0.45, roof)
    return (0.1, 0.9, 0.5)


def pyramid(c: Canvas, wall: RGB, roof: RGB) -> WindowRow:
    """A stepped pyramid with a coloured tip."""
    for i in range(5):
        half = 0.4 - i * 0.065
        foot = GROUND - i * 0.08
        c.box(0.5 - half, foot - 0.08, 0.5 + half, foot, shade(wall, 1.0 - 0.05 * (i % 2)))
    c.box(0.4, 0.33, 0.6, 0.41, roof)
    return (0.2, 0.8, 0.72)


BODIES: dict[str, Callable[[Canvas, RGB, RGB], WindowRow]] = {
    "church": church,
    "castle / fort": castle,
    "mountain": mountain,
    "lake": lake,
    "bridge": bridge,
    "sports venue": arena,
    "lighthouse": lighthouse,
    "palace": palace,
    "tower": tower,
    "sculpture": statue,
    "buddhist temple": temple,
    "waterfall": waterfall,
    "gate": gate,
    "windmill": windmill,
    "aqueduct": aqueduct,
    "pyramid": pyramid,
}


def body(c: Canvas, category: Category, wall: RGB, roof: RGB) -> WindowRow:
    """Draw the landmark's body; returns where its windows go."""
    return BODIES[category.label](c, wall, roof)


def ornament(c: Canvas, shape: str, x: float, y: float, size: float, colour: RGB) -> None:
    """One of the eight shapes, standing on (x, y), `size` high, dark-edged on a short post."""
    post = 0.12 * size
    c.box(x - 0.05 * size, y - post, x + 0.05 * size, y, DARK)
    foot, half = y - post, size / 2
    for colour_, grow in ((DARK, 0.07 * size), (colour, 0.0)):
        x0, x1 = x - half - grow, x + half + grow
        y0, y1 = foot - size - grow, foot + grow
        if shape == "dome":
            c.half_ellipse(x0, y0 + 0.35 * size, x1, y1, colour_)
        elif shape == "spire":
            c.polygon(
                [(x - 0.28 * size - grow, y1), (x, y0 - 0.2 * size), (x + 0.28 * size + grow, y1)],
                colour_,
            )
        elif shape == "cube":
            c.box(x0, y0 + 0.15 * size, x1, y1, colour_)
        elif shape == "ring":
            c.ellipse(x0, y0, x1, y1, colour_)
        elif shape == "orb":
            c.ellipse(x0 + 0.14 * size, y0 + 0.28 * size, x1 - 0.14 * size, y1, colour_)
        elif shape == "cross":
            c.box(x - 0.14 * size - grow, y0, x + 0.14 * size + grow, y1, colour_)
            c.box(x0, y0 + 0.25 * size, x1, y0 + 0.53 * size + 2 * grow, colour_)
        elif shape == "fan":
            c.polygon(
                [
                    (x, y1),
                    (x0, y0 + 0.3 * size),
                    (x - 0.25 * size, y0),
                    (x + 0.25 * size, y0),
                    (x1, y0 + 0.3 * size),
                ],
                colour_,
            )
        else:  # arrow: a wide head on a shaft
            c.polygon([(x0, y0 + 0.5 * size), (x, y0), (x1, y0 + 0.5 * size)], colour_)
            c.box(x - 0.13 * size - grow, y0 + 0.45 * size, x + 0.13 * size + grow, y1, colour_)
    if shape == "ring":
        hole = 0.24 * size
        c.ellipse(x - hole, foot - half - hole, x + hole, foot - half + hole, DARK)
        hole *= 0.8
        c.ellipse(x - hole, foot - half - hole, x + hole, foot - half + hole, (214, 224, 234))


def windows(c: Canvas, span: WindowRow, count: int, form: str, lattice: str) -> None:
    """A row of windows; the lattice in them is visible in high resolution only."""
    x0, x1, y = span
    pitch = (x1 - x0) / count
    w = min(0.05, pitch * 0.55)
    h = 0.09 if form == "slit" else 0.06
    for i in range(count):
        x = x0 + (i + 0.5) * pitch
        half = w * (0.25 if form == "slit" else 0.5)
        for fill, grow in ((DARK, 0.008), (GLASS, 0.0)):
            box = (x - half - grow, y - grow, x + half + grow, y + h + grow)
            if form == "round":
                c.ellipse(*box, fill)
            else:
                c.box(*box, fill)
                if form == "arched":
                    c.half_ellipse(box[0], box[1] - 0.02, box[2], box[1] + 0.004, fill)
        pale: RGB = (214, 220, 228)
        middle = y + h / 2
        if lattice in ("barred", "crossed"):
            c.line([(x, y), (x, y + h)], pale, 0.006)
        if lattice == "crossed":
            c.line([(x - half, middle), (x + half, middle)], pale, 0.006)
        if lattice == "diagonal":
            c.line([(x - half, y), (x + half, y + h)], pale, 0.006)


def flag(c: Canvas, x: float, y: float, emblem: str, colour_name: str) -> None:
    """A pole with a small flag; the emblem's form is visible in high resolution only."""
    colour = EMBLEM_COLOURS[colour_name]
    c.box(x - 0.005, y, x + 0.005, GROUND, DARK)
    c.box(x, y, x + 0.1, y + 0.07, (244, 244, 240))
    cx, cy = x + 0.05, y + 0.035
    if emblem == "cross":
        c.box(cx - 0.007, y + 0.008, cx + 0.007, y + 0.062, colour)
        c.box(cx - 0.03, cy - 0.007, cx + 0.03, cy + 0.007, colour)
    elif emblem == "disc":
        c.ellipse(cx - 0.024, cy - 0.024, cx + 0.024, cy + 0.024, colour)
    elif emblem == "diamond":
        c.polygon([(cx, y + 0.008), (cx + 0.03, cy), (cx, y + 0.062), (cx - 0.03, cy)], colour)
    elif emblem == "bar":
        c.box(cx - 0.04, cy - 0.012, cx + 0.04, cy + 0.012, colour)
    elif emblem == "crescent":
        c.ellipse(cx - 0.025, cy - 0.025, cx + 0.025, cy + 0.025, colour)
        c.ellipse(cx - 0.01, cy - 0.022, cx + 0.032, cy + 0.022, (244, 244, 240))
    else:  # chevron
        c.polygon([(cx - 0.035, y + 0.055), (cx, y + 0.012), (cx + 0.035, y + 0.055)], colour)
        c.polygon(
            [(cx - 0.018, y + 0.058), (cx, y + 0.036), (cx + 0.018, y + 0.058)], (244, 244, 240)
        )
