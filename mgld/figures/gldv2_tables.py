"""How the tables of Google Landmarks v2 hang together (the paper's Figure 8), with counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mgld.figures.axes import new_page
from mgld.figures.drawing import Drawing
from mgld.figures.style import BLUE, GRID, INK, MUTED, SURFACE, WIDE, style
from mgld.gldv2.catalog import ATTRIBUTION_CSV, CATEGORIES_CSV, HIERARCHY_CSV, IMAGES_CSV

_UNKNOWN: Final = "unknown "
"""How the catalog's reasons begin for a row whose key the table it refers to does not have."""


class _Table(NamedTuple):
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    refers_to: str
    unit: tuple[str, str]  # of what it has one row


_TABLES: Final = {
    ATTRIBUTION_CSV: _Table(
        ("id", "author", "license", "title"), ("id",), IMAGES_CSV, ("image", "images")
    ),
    IMAGES_CSV: _Table(
        ("id", "url", "landmark_id"), ("id", "landmark_id"), CATEGORIES_CSV, ("image", "images")
    ),
    CATEGORIES_CSV: _Table(
        ("landmark_id", "category"), ("landmark_id",), "", ("landmark", "landmarks")
    ),
    HIERARCHY_CSV: _Table(
        ("landmark_id", "supercategory", "hierarchical_label", "natural_or_human_made"),
        ("landmark_id",), CATEGORIES_CSV, ("landmark", "landmarks"),
    ),
}  # fmt: skip


def gldv2_tables(
    counts: Mapping[str, Mapping[str, int]],
    rejects: pa.Table,
    image_count: npt.NDArray[np.int64],
) -> pa.Table:
    """One row a file of the source that is there: its rows, and whether their keys meet.

    counts: of `Catalog.counts()`; rejects: `Catalog.rejects`; image_count: int64 [landmarks].
    `accepted` rows have a key that the table of `refers_to` has; `unknown_key` ones do not;
    `other_rejects` are damaged or double: the three add up to `rows`. `unreferred`: accepted rows
    of `refers_to` that no accepted row here refers to (landmarks without an image, images without
    an attribution).
    """
    rows = []
    for name, table in _TABLES.items():
        if name not in counts:
            continue
        count = counts[name]
        mine = rejects.filter(pc.equal(rejects["table"], name))
        unknown = pc.sum(pc.starts_with(mine["reason"], pattern=_UNKNOWN)).as_py() or 0
        unreferred = None
        if name == IMAGES_CSV:
            unreferred = int((image_count == 0).sum())
        elif table.refers_to:
            # Keys are unique among the accepted rows: each accepted one has a partner of its own.
            unreferred = counts[table.refers_to]["accepted"] - count["accepted"]
        rows.append(
            {"file": name, "keys": " ".join(table.keys), "refers_to": table.refers_to,
             "rows": count["rows"], "accepted": count["accepted"], "unknown_key": unknown,
             "other_rejects": count["rejected"] - unknown, "unreferred": unreferred}
        )  # fmt: skip
    return pa.Table.from_pylist(rows, _SCHEMA)


_SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("keys", pa.string()),
        ("refers_to", pa.string()),
        ("rows", pa.int64()),
        ("accepted", pa.int64()),
        ("unknown_key", pa.int64()),
        ("other_rejects", pa.int64()),
        ("unreferred", pa.int64()),
    ]
)


def draw_gldv2_tables(table: pa.Table, *, width: float = WIDE) -> Drawing:
    """The files as boxes with their columns, keys in bold, and arrows from key to key.

    table: of `gldv2_tables`. Beside an arrow: how many rows meet a row of the other table, and how
    many on either side do not. A file that the source lacks is an empty box. Data: `table`.
    """
    rows = {row["file"]: row for row in table.to_pylist()}
    wide = width > 5
    places = _places(width, wide)
    height = max(y + high for _, y, _, high in places.values()) + 0.15
    with style("gldv2-tables"):
        figure = new_page(width, height)
        axis = figure.add_axes((0, 0, 1, 1))
        axis.set_xlim(0, width)
        axis.set_ylim(height, 0)  # inches from the top left
        axis.set_axis_off()
        for name, place in places.items():
            _box(axis, place, name, rows.get(name))
        for name, row in rows.items():
            if row["refers_to"]:
                _relation(axis, places[name], places[row["refers_to"]], row, wide)
    return Drawing(
        name="gldv2-tables",
        title="Tables of the source and how they hang together",
        alt="; ".join(
            f"{name}: {row['rows']:,} rows"
            + (f" ({', '.join(_relation_lines(name, row))})" if row["refers_to"] else "")
            for name, row in rows.items()
        )
        + ".",
        data=table,
        figure=figure,
    )


def _places(width: float, wide: bool) -> dict[str, tuple[float, float, float, float]]:
    """x, y, width, height of each file's box in inches: a square when wide, a column otherwise."""
    box = 2.75 if wide else width - 0.2
    heights = {name: 0.36 + 0.19 * len(table.columns) for name, table in _TABLES.items()}
    left, right = 0.1, width - box - 0.1
    if wide:
        tops = (0.15, 2.7)
        spots = [(left, tops[0]), (right, tops[0]), (right, tops[1]), (left, tops[1])]
    else:
        spots, y = [], 0.15
        for name in _TABLES:
            spots.append((left, y))
            y += heights[name] + 0.8
    return {name: (*spot, box, heights[name]) for name, spot in zip(_TABLES, spots, strict=True)}


def _box(
    axis: Any, place: tuple[float, float, float, float], name: str, row: Mapping[str, Any] | None
) -> None:
    """A file's columns under its name and number of rows; of one that is not there the name."""
    from matplotlib.patches import Rectangle

    x, y, width, height = place
    line: dict[str, Any] = {"edgecolor": MUTED, "lw": 0.8, "ls": "-" if row else (0, (4, 3))}
    axis.add_patch(Rectangle((x, y), width, height, facecolor=SURFACE, **line))
    ink = INK if row else MUTED
    title: dict[str, Any] = {"fontsize": 8, "va": "center", "color": ink}
    if row:
        axis.add_patch(Rectangle((x, y), width, 0.28, facecolor=GRID, **line))
    axis.text(x + 0.08, y + 0.145, name, fontweight="bold" if row else "normal", **title)
    if row is None:
        axis.text(x + 0.24, y + 0.41, "not in this source", **title)
        return
    axis.text(x + width - 0.08, y + 0.145, f"{row['rows']:,}", ha="right", **title)
    keys = _TABLES[name].keys
    for k, column in enumerate(_TABLES[name].columns):
        at = y + 0.41 + 0.19 * k
        if column in keys:
            axis.plot(x + 0.13, at, "o", color=BLUE, ms=4)
        axis.text(x + 0.24, at, column, fontweight="bold" if column in keys else "normal", **title)


def _relation(
    axis: Any,
    start: tuple[float, float, float, float],
    end: tuple[float, float, float, float],
    row: Mapping[str, Any],
    wide: bool,
) -> None:
    """An arrow from a box to the one that it refers to, and what meets along it."""
    x0, y0, w0, h0 = start
    x1, y1, _, h1 = end
    first, *rest = _relation_lines(row["file"], row)
    if x0 != x1:  # side by side: from the left one to the right one, at its first column
        y = y0 + 0.41
        _arrow(axis, (x0 + w0, y), (x1, y))
        _lines(axis, (x0 + w0 + x1) / 2, y - 0.12, [first], "center")
        _lines(axis, (x0 + w0 + x1) / 2, y + 0.14, rest, "center")
        return
    x = x0 + (w0 / 2 if wide else 0.5)
    tail, head = (y0 + h0, y1) if y1 > y0 else (y0, y1 + h1)
    _arrow(axis, (x, tail), (x, head))
    top = (tail + head) / 2 - 0.15 * len(rest) / 2
    # On a wide page to the left of the arrow, where the square is empty.
    _lines(axis, x - 0.12 if wide else x + 0.12, top, [first, *rest], "right" if wide else "left")


def _arrow(axis: Any, tail: tuple[float, float], head: tuple[float, float]) -> None:
    axis.annotate("", head, tail, arrowprops={"arrowstyle": "-|>", "color": BLUE, "lw": 1.5,
                                              "shrinkA": 0, "shrinkB": 0})  # fmt: skip


def _lines(axis: Any, x: float, y: float, lines: list[str], align: str) -> None:
    for k, line in enumerate(lines):
        colour = MUTED if line.startswith("0 ") else INK
        axis.text(x, y + 0.15 * k, line, fontsize=7.5, ha=align, va="center", color=colour)


def _relation_lines(name: str, row: Mapping[str, Any]) -> list[str]:
    """What meets and what does not, the first line about what does."""
    table = _TABLES[name]
    one, many = _TABLES[table.refers_to].unit
    without = {
        IMAGES_CSV: "an image",
        ATTRIBUTION_CSV: "an attribution",
        HIERARCHY_CSV: "a label",
    }[name]
    lines = [
        f"{table.keys[-1]}: {_number(row['accepted'], 'row meets', 'rows meet')}",
        f"{_number(row['unknown_key'], 'row', 'rows')} of no known {one}",
        f"{_number(row['unreferred'], one, many)} without {without}",
    ]
    if row["other_rejects"]:
        lines.append(f"{_number(row['other_rejects'], 'row', 'rows')} damaged or double")
    return lines


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
