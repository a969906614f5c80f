"""A drawing surface in scene coordinates, so that shapes are written once for every framing."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from mgld.world.lexicon import RGB

Point = tuple[float, float]


def shade(colour: RGB, factor: float) -> RGB:
    """Darken (factor < 1) or lighten (factor > 1) a colour."""
    return (
        min(255, int(colour[0] * factor)),
        min(255, int(colour[1] * factor)),
        min(255, int(colour[2] * factor)),
    )


class Canvas:
    """Scene coordinates: the central square is [0, 1] x [0, 1], y down; wider images go beyond.

    Drawn at twice the final size and reduced at the end, which smooths all edges.
    """

    OVERSAMPLING = 2

    def __init__(self, size: tuple[int, int], zoom: float, shift: Point) -> None:
        width, height = size[0] * self.OVERSAMPLING, size[1] * self.OVERSAMPLING
        self.image = Image.new("RGB", (width, height))
        self._draw = ImageDraw.Draw(self.image)
        side = min(width, height)
        self.scale = side * zoom
        # The landmark stands on the horizon line y = 0.7, which framing keeps in place.
        self._x0 = width / 2 + (shift[0] - 0.5 * zoom) * side
        self._y0 = height / 2 + (shift[1] + 0.2 - 0.7 * zoom) * side
        self.left, self.right = -self._x0 / self.scale, (width - self._x0) / self.scale
        self.top, self.bottom = -self._y0 / self.scale, (height - self._y0) / self.scale

    def _xy(self, point: Point) -> Point:
        return (self._x0 + point[0] * self.scale, self._y0 + point[1] * self.scale)

    def polygon(self, points: Sequence[Point], fill: RGB) -> None:
        """Fill a polygon."""
        self._draw.polygon([self._xy(p) for p in points], fill=fill)

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: RGB) -> None:
        """Fill an upright rectangle."""
        self._draw.rectangle((*self._xy((x0, y0)), *self._xy((x1, y1))), fill=fill)

    def ellipse(self, x0: float, y0: float, x1: float, y1: float, fill: RGB) -> None:
        """Fill an ellipse inscribed in a box."""
        self._draw.ellipse((*self._xy((x0, y0)), *self._xy((x1, y1))), fill=fill)

    def half_ellipse(self, x0: float, y0: float, x1: float, y1: float, fill: RGB) -> None:
        """Fill the upper half of an ellipse: a dome from y1 (flat side) up to y0."""
        upper, lower = self._xy((x0, y0)), self._xy((x1, 2 * y1 - y0))
        self._draw.pieslice((*upper, *lower), 180, 360, fill=fill)

    def line(self, points: Sequence[Point], fill: RGB, width: float) -> None:
        """Draw a line; width in scene units."""
        pixels = max(1, round(width * self.scale))
        self._draw.line([self._xy(p) for p in points], fill=fill, width=pixels)

    def finish(self) -> Image.Image:
        """The picture at its final size."""
        return self.image.reduce(self.OVERSAMPLING)
