"""Text in a figure: broken into lines that fit, with some of its words marked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from mgld.figures.style import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEADING: Final = 1.32
"""Height of a line in units of the letters' size."""
POINTS: Final = 72.0


class Run(NamedTuple):
    """Words of one line that look alike. x: inches from the line's start; width in inches."""

    text: str
    marked: bool
    x: float
    width: float


class Flow:
    """Lays text out in a figure, in letters of `size` points."""

    def __init__(self, figure: Figure, size: float) -> None:
        self._figure, self.size = figure, size
        self.leading = size * LEADING / POINTS
        """Height of a line in inches."""
        self._widths: dict[tuple[str, bool], float] = {}

    def width(self, text: str, *, bold: bool = False) -> float:
        """Width of `text` in inches, in the font that a PNG is drawn with, without hinting."""
        if (text, bold) not in self._widths:
            from matplotlib.font_manager import FontProperties
            from matplotlib.textpath import text_to_path

            font = FontProperties(size=self.size, weight="bold" if bold else "normal")
            # Between two letters: blanks at an end have no width of their own.
            both, _, _ = text_to_path.get_text_width_height_descent(f"|{text}|", font, False)
            none, _, _ = text_to_path.get_text_width_height_descent("||", font, False)
            self._widths[text, bold] = float(both - none) / POINTS
        return self._widths[text, bold]

    def lines(self, parts: Sequence[tuple[str, bool]], width: float) -> list[list[Run]]:
        """`parts` (text, whether marked) as lines of at most `width` inches.

        Blanks of any kind separate words; a word that is longer than a line is cut. The parts meet
        as they stand: no blank comes between them that is not in them.
        """
        lines: list[list[Run]] = [[]]
        x, blank = 0.0, False
        for text, marked in parts:
            for word in _words(text):
                if word == " ":
                    blank = True
                    continue
                for piece in self._cut(word, marked, width):
                    space = self.width(" ") if blank and lines[-1] else 0.0
                    wide = self.width(piece, bold=marked)
                    if lines[-1] and x + space + wide > width:
                        lines.append([])
                        x, space = 0.0, 0.0
                    self._add(lines[-1], piece, marked, x + space, wide, space > 0)
                    x, blank = x + space + wide, False
        return lines if lines[-1] else lines[:-1]

    def fit(self, text: str, width: float, *, bold: bool = False) -> str:
        """`text`, cut where it is wider than `width` inches: then it ends in an ellipsis."""
        if self.width(text, bold=bold) <= width:
            return text
        room = width - self.width("…", bold=bold)
        return text[: self._letters(text, room, bold)].rstrip() + "…"

    def _letters(self, word: str, width: float, bold: bool) -> int:
        """How many of the letters of `word`, but for the last, fit; one at least."""
        fits = bisect_right(
            range(1, len(word)), width, key=lambda k: self.width(word[:k], bold=bold)
        )
        return max(fits, 1)

    def _cut(self, word: str, bold: bool, width: float) -> list[str]:
        """`word` in pieces that fit, of one letter at least."""
        pieces = []
        while word and self.width(word, bold=bold) > width:
            fits = self._letters(word, width, bold)
            pieces.append(word[:fits])
            word = word[fits:]
        return [*pieces, word] if word else pieces

    @staticmethod
    def _add(line: list[Run], text: str, marked: bool, x: float, wide: float, blank: bool) -> None:
        """Put a piece at `x`, joined to the run before it where they look alike."""
        if line and line[-1].marked == marked:
            last = line.pop()
            text = f"{last.text} {text}" if blank else last.text + text
            line.append(Run(text, marked, last.x, x + wide - last.x))
        else:
            line.append(Run(text, marked, x, wide))

    def draw(
        self,
        lines: Sequence[Sequence[Run]],
        x: float,
        top: float,
        *,
        colour: str = INK,
        mark: str | None = None,
    ) -> float:
        """Write `lines` from (x, top) in inches from the top left; the height they take.

        Marked words are bold, on a ground of the colour `mark`, which shows on light and dark.
        """
        from matplotlib.patches import Rectangle

        wide, high = self._figure.get_size_inches()
        for number, line in enumerate(lines):
            base = top + self.leading * (number + 0.76)
            for run in line:
                if run.marked and mark is not None:
                    corner = (x + run.x - 0.015) / wide, 1 - (base + 0.24 * self.leading) / high
                    self._figure.add_artist(
                        Rectangle(
                            corner, (run.width + 0.03) / wide, 0.98 * self.leading / high,
                            facecolor=mark, alpha=0.3, lw=0, transform=self._figure.transFigure,
                        )
                    )  # fmt: skip
                self._figure.text(
                    (x + run.x) / wide, 1 - base / high, run.text, fontsize=self.size, color=colour,
                    fontweight="bold" if run.marked else "normal", va="baseline",
                )  # fmt: skip
        return self.leading * len(lines)


def _words(text: str) -> list[str]:
    """Words and single blanks, so that it is kept where there was none."""
    found = []
    word = ""
    for letter in text:
        if letter.isspace():
            if word:
                found.append(word)
                word = ""
            if not found or found[-1] != " ":
                found.append(" ")
        else:
            word += letter
    return [*found, word] if word else found
