"""Figures of a build's annotations: how long, how many, and which labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mgld.annotate.quality_numbers import AnswerQuality, EntityQuality, LabelQuality
from mgld.figures import NARROW, WIDE, Drawing
from mgld.figures.axes import new_figure
from mgld.figures.style import BLUE, GREY, INK, MUTED, SKY, style
from mgld.figures.svg import plain

BINS = 16
TOP_LABELS = 18
LONGEST_LABEL = 24


def draw_words(words: Sequence[int], quality: AnswerQuality) -> Drawing:
    """Histogram of the words of the answers, with the median. Data: one row a bin."""
    least, most = min(words), max(words)
    step = max(1, -(-(most - least + 1) // BINS))
    edges = np.arange(least, most + step + 1, step)
    counts, _ = np.histogram(words, bins=edges)
    with style("annotation-words"):
        figure = new_figure(NARROW, 2.3)
        axis = figure.subplots()
        axis.bar(edges[:-1] + (step - 1) / 2, counts, width=0.86 * step, color=BLUE)
        assert quality.words is not None
        middle = quality.words.median
        axis.axvline(middle, color=INK, lw=1.2)
        axis.annotate(
            f"median {middle:g}", (middle, 1), (4, -2), va="top", color=INK,
            xycoords=("data", "axes fraction"), textcoords="offset points",
        )  # fmt: skip
        axis.set_ylim(0, max(counts.max(), 1) * 1.25)
        axis.grid(visible=False, axis="x")
        axis.set_xlabel("words in an answer")
        axis.set_ylabel("answers")
        _whole_numbers(axis.yaxis)
    data = pa.table({"words from": edges[:-1], "to": edges[1:] - 1, "answers": counts})
    return Drawing(
        name="annotation-words",
        title="Length of the answers",
        alt=f"Histogram of the words of {len(words):,} answers, from {least} to {most}; "
        f"median {middle:g}.",
        data=data,
        figure=figure,
    )


def draw_entities(quality: EntityQuality) -> Drawing:
    """Records by how many entities they were given and kept. Data: one row a number."""
    numbers = range(min([*quality.raw, *quality.kept]), max([*quality.raw, *quality.kept]) + 1)
    sides = {
        "as they came": ([quality.raw.get(number, 0) for number in numbers], GREY),
        "kept": ([quality.kept.get(number, 0) for number in numbers], BLUE),
    }
    with style("annotation-entities"):
        figure = new_figure(NARROW, 2.3)
        axis = figure.subplots()
        for shift, (label, (counts, colour)) in zip((-0.21, 0.21), sides.items(), strict=True):
            axis.bar([n + shift for n in numbers], counts, width=0.4, color=colour, label=label)
        axis.set_xticks(list(numbers))
        axis.set_ylim(0, max(max(counts) for counts, _ in sides.values()) * 1.28)
        axis.legend(loc="upper left", ncols=2, borderaxespad=0, handlelength=1)
        axis.grid(visible=False, axis="x")
        axis.set_xlabel("entities in a record")
        axis.set_ylabel("records")
        _whole_numbers(axis.yaxis)
    means = [
        sum(number * count for number, count in side.items()) / max(quality.records, 1)
        for side in (quality.raw, quality.kept)
    ]
    return Drawing(
        name="annotation-entities",
        title="Entities per record",
        alt=f"Bars of the entities per record over {quality.records:,} records: "
        f"{means[0]:.1f} came on the mean, {means[1]:.1f} were kept.",
        data=pa.table({"entities": list(numbers)}
                      | {label: counts for label, (counts, _) in sides.items()}),
        figure=figure,
    )  # fmt: skip


def draw_labels(quality: LabelQuality, *, width: float = WIDE) -> Drawing:
    """Records of each of the most frequent labels, GLDv2's and refined. Data: every label."""
    shown = quality.counts[:TOP_LABELS]
    labels = [plain(row.label) for row in shown]
    y = np.arange(len(shown))
    with style("annotation-labels"):
        figure = new_figure(width, 0.9 + 0.27 * len(shown))
        axis = figure.subplots()
        sides = {"GLDv2's": [row.gldv2 for row in shown], "refined": [row.refined for row in shown]}
        sides = {label: counts for label, counts in sides.items() if any(counts)}
        height = 0.76 / max(len(sides), 1)
        for k, (label, counts) in enumerate(sides.items()):
            at = y + (k - (len(sides) - 1) / 2) * (height + 0.02)
            colour = BLUE if label == "refined" else SKY
            axis.barh(at, counts, height=height, color=colour, label=label)
            for place, number in zip(at, counts, strict=True):
                axis.annotate(f"{number:,}", (number, place), (3, 0), va="center",
                              textcoords="offset points", fontsize=6.5, color=MUTED)  # fmt: skip
        axis.set_yticks(y, [t if len(t) <= LONGEST_LABEL else f"{t[:LONGEST_LABEL - 1]}…"
                            for t in labels])  # fmt: skip
        axis.set_ylim(len(shown) - 0.4, -0.6)
        axis.grid(visible=False, axis="y")
        axis.set_xlabel("records")
        _whole_numbers(axis.xaxis)
        axis.legend(loc="lower right")
    return Drawing(
        name="annotation-labels",
        title="GLDv2's labels and the refined ones" if "GLDv2's" in sides else "Refined labels",
        alt="Bars of the records per label: "
        + "; ".join(f"{row.label}: GLDv2 {row.gldv2:,}, refined {row.refined:,}" for row in shown)
        + ".",
        data=pa.table(
            {
                "label": [row.label for row in quality.counts],
                "GLDv2": [row.gldv2 for row in quality.counts],
                "refined": [row.refined for row in quality.counts],
            }
        ),
        figure=figure,
    )


def _whole_numbers(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, nbins=6))
