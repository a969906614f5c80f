"""Which categories each subset holds (the paper's Figure 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mgld.figures.axes import new_figure
from mgld.figures.drawing import Drawing
from mgld.figures.style import GREY, INK, METHOD_COLOUR, METHODS, WIDE, style
from mgld.figures.svg import plain

UNLABELLED = "(no label)"
OTHER = "(all others)"


def draw_categories(
    label: Sequence[str | None],
    subsets: Mapping[str, npt.NDArray[np.bool_]],
    *,
    top: int = 14,
    width: float = WIDE,
) -> Drawing:
    """Counts of the `top` most frequent labels in each subset, with the count expected by chance.

    label: M hierarchical labels (None: no label); subsets: method -> bool [M]. The tick on a bar is
    what a random subset of that size would hold. Data: one row a label, most frequent first, then
    the rest summed, then those without any (in grey), so that every column adds up to its subset.
    """
    methods = [method for method in METHODS if method in subsets]
    data = category_table(label, {method: subsets[method] for method in methods}, top=top)
    labels = [plain(text) for text in data["hierarchical_label"].to_pylist()]
    # By its place, not by its text, which could be a label of the source, too.
    unlabelled = len(labels) - 1 if None in label else None
    everything = np.array(data["all"].to_pylist(), dtype=np.float64)
    columns = 4 if width > 5 else 2
    rows = max(1, -(-len(methods) // columns))
    with style("categories"):
        figure = new_figure(width, rows * (0.75 + 0.19 * max(len(labels), 3)))
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axis in axes.flat[len(methods) :]:
            axis.set_visible(False)
        y = np.arange(len(labels))
        for axis, method in zip(axes.flat, methods, strict=False):
            counts = np.array(data[method].to_pylist(), dtype=np.float64)
            colours = [GREY if k == unlabelled else METHOD_COLOUR[method] for k in y]
            axis.barh(y, counts, height=0.68, color=colours)
            expected = everything * counts.sum() / max(everything.sum(), 1)
            axis.plot(expected, y, ls="none", marker="|", ms=10, mew=1.6, color=INK)
            axis.set_title(f"{method.upper()} · {int(counts.sum()):,}")
            axis.set_yticks(y, [text if len(text) <= 24 else f"{text[:23]}…" for text in labels])
            axis.set_ylim(len(labels) - 0.4, -0.6)
            axis.grid(visible=False, axis="y")
            axis.tick_params(labelbottom=True)
            axis.set_xlabel("records")
    leaders = ", ".join(
        f"{method.upper()} {labels[int(np.argmax(data[method].to_numpy()))]}"
        for method in methods
        if labels
    )
    return Drawing(
        name="categories",
        title="Categories in each subset",
        alt=f"Bar charts of the records per category in each subset. Largest: {leaders}.",
        data=data,
        figure=figure,
    )


def category_table(
    label: Sequence[str | None],
    subsets: Mapping[str, npt.NDArray[np.bool_]],
    *,
    top: int,
) -> pa.Table:
    """Records per hierarchical label over everything (`all`) and in each subset.

    Most frequent label first (ties by name); labels after the first `top` are summed as "(all
    others)"; records without a label are the last row, "(no label)", however many they are. Columns
    add up to M and to the subsets' sizes.
    """
    order = by_frequency(label)
    kept = order[:top]
    rows = [*kept, OTHER] if len(order) > top else [*kept]
    place: dict[str | None, int] = {text: k for k, text in enumerate(kept)}
    if None in label:
        place[None] = len(rows)
        rows.append(UNLABELLED)
    where = np.array([place.get(text, top) for text in label], dtype=np.int64)
    masks = {"all": np.ones(len(label), dtype=np.bool_)} | dict(subsets)
    return pa.table(
        {"hierarchical_label": pa.array(rows, pa.string())}
        | {
            name: np.bincount(where[mask], minlength=len(rows))[: len(rows)]
            for name, mask in masks.items()
        }
    )


def by_frequency(label: Iterable[str | None]) -> list[str]:
    """The labels that occur, the most frequent first, ties by name; None is no label."""
    given = Counter(text for text in label if text is not None)
    return sorted(given, key=lambda text: (-given[text], text))
