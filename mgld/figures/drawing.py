"""A figure together with the numbers it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from mgld.figures.style import SURFACE, style
from mgld.figures.svg import themed_svg
from mgld.files import atomic_path, write_text_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Points are drawn as pixels inside the SVG; twice the screen's resolution keeps them sharp.
DPI = 200


@dataclass(frozen=True)
class Drawing:
    """One drawn figure.

    `name`: file stem; `title`: what it shows; `alt`: the same for those who cannot see it, with the
    numbers that matter; `figure`: the matplotlib figure; `data`: the table it was drawn from.
    """

    name: str
    title: str
    alt: str
    data: pa.Table
    figure: Figure = field(repr=False)

    def svg(self, *, prefix: str | None = None, standalone: bool = False) -> str:
        """The figure as SVG text that follows light and dark; `prefix` keeps its ids apart."""
        buffer = StringIO()
        with style(self.name):
            self.figure.savefig(buffer, format="svg", dpi=DPI, metadata={"Date": None})
        return themed_svg(
            buffer.getvalue(), prefix or self.name, alt=self.alt, standalone=standalone
        )

    def png(self) -> bytes:
        """The figure as PNG on a light background."""
        buffer = BytesIO()
        with style(self.name):
            self.figure.savefig(
                buffer, format="png", dpi=DPI, facecolor=SURFACE, metadata={"Software": None}
            )
        return buffer.getvalue()

    def save(self, folder: Path) -> list[Path]:
        """Write `name`.svg, `name`.png and `name`.csv into `folder`; return the three paths."""
        from pyarrow import csv

        paths = [folder / f"{self.name}.{suffix}" for suffix in ("svg", "png", "csv")]
        write_text_atomically(paths[0], self.svg(standalone=True))
        with atomic_path(paths[1]) as temporary:
            temporary.write_bytes(self.png())
        with atomic_path(paths[2]) as temporary:
            csv.write_csv(self.data, str(temporary))
        return paths
