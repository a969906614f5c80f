"""From catalog to records: what came in, what was lost on the way, and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa

from mgld.figures.axes import new_figure
from mgld.figures.drawing import Drawing
from mgld.figures.style import BLUE, GREY, INK, SKY, VERMILLION, WIDE, style

if TYPE_CHECKING:
    from mgld.build.read import BuildView

STAGES = (
    ("selection", "with a chosen image"),
    ("scores", "scored"),
    ("qa", "with question and answer"),
    ("entities", "with entities and label"),
)

SCHEMA = pa.schema(
    [
        ("unit", pa.string()),
        ("step", pa.string()),
        ("count", pa.int64()),
        ("lost", pa.int64()),
        ("why", pa.string()),
    ]
)


def funnel_table(view: BuildView) -> pa.Table:
    """One row a step: `count` after it, `lost` in it and `why` (status and number).

    Within a unit ("images", "landmarks") each count is the one before it less what was lost, so
    the counts of a build reconcile from its catalog to its records; the two splits at the end are
    parts of the last step. ValueError where they do not add up, which would be a damaged build.
    """
    return pa.Table.from_pylist([*_images(view), *_landmarks(view), *_splits(view)], SCHEMA)


def _row(unit: str, step: str, count: int, losses: Counter[str]) -> dict[str, object]:
    order = sorted(losses.items(), key=lambda item: (-item[1], item[0]))
    why = ", ".join(f"{number:,} {status.replace('_', ' ')}" for status, number in order)
    return {"unit": unit, "step": step, "count": count, "lost": losses.total(), "why": why}


def _images(view: BuildView) -> list[dict[str, object]]:
    """Images of the catalog, and what became of them when the archives were read."""
    total = view.table("catalog", "images", ["image_id"]).num_rows
    losses: Counter[str] = Counter()
    for shard in view.manifest.stage("selection").shards.values():
        losses.update(shard.counts.get("image", {}))
    readable = losses.pop("ok", 0)
    if readable + losses.total() != total:
        raise ValueError(
            f"{view.root}: the catalog has {total} images, the stages after it account for "
            f"{readable + losses.total()}; check the build with `mgld verify {view.root}`"
        )
    return [
        _row("images", "in the catalog", total, Counter()),
        _row("images", "readable", readable, losses),
    ]


def _landmarks(view: BuildView) -> list[dict[str, object]]:
    """Landmarks after each stage; one that is lost is counted where it was lost first."""
    left = set(view.table("catalog", "landmarks", ["landmark_id"])["landmark_id"].to_pylist())
    rows = [_row("landmarks", "in the catalog", len(left), Counter())]
    for stage, step in STAGES:
        table = view.table(stage, "part", ["landmark_id", "status"])
        status = dict(zip(*table.to_pydict().values(), strict=True))
        losses = Counter(status.get(i, "without a row") for i in left)
        del losses["ok"]
        left = {i for i in left if status.get(i) == "ok"}
        rows.append(_row("landmarks", step, len(left), losses))
    return rows


def _splits(view: BuildView) -> list[dict[str, object]]:
    splits = Counter(view.table("splits", "records", ["split"])["split"].to_pylist())
    return [
        _row("records", "for training", splits["train"], Counter()),
        _row("records", "set aside as test", splits["test"], Counter()),
    ]


def draw_funnel(table: pa.Table, *, width: float = WIDE) -> Drawing:
    """Horizontal bars of `funnel_table`, one panel for images and one for landmarks.

    What a step lost is the vermillion end of its bar. Data: the table itself.
    """
    rows = [row for row in table.to_pylist() if row["unit"] != "records"]
    units = list(dict.fromkeys(row["unit"] for row in rows))
    heights = [sum(row["unit"] == unit for row in rows) for unit in units]
    with style("funnel"):
        figure = new_figure(width, 0.9 + 0.34 * len(rows))
        axes = figure.subplots(len(units), 1, squeeze=False, height_ratios=heights)
        for axis, unit in zip(axes.flat, units, strict=True):
            steps = [row for row in rows if row["unit"] == unit]
            total = max(steps[0]["count"], 1)
            for y, row in enumerate(steps):
                axis.barh(y, row["count"], height=0.6, color=SKY if unit == "images" else BLUE)
                axis.barh(y, row["lost"], left=row["count"], height=0.6, color=VERMILLION)
                text = f"{row['count']:,}" + (
                    f"   − {row['why']}" if row["lost"] and width > 5 else ""
                )
                axis.annotate(text, (row["count"] + row["lost"], y), (5, 0), va="center",
                              textcoords="offset points", fontsize=8, color=INK)  # fmt: skip
            axis.set_yticks(range(len(steps)), [row["step"] for row in steps])
            axis.set_ylim(len(steps) - 0.5, -0.5)
            axis.set_xlim(0, total * 1.45)
            axis.set_xticks([])
            axis.set_title(unit)
            axis.grid(visible=False)
            axis.spines["bottom"].set_visible(False)
            axis.spines["left"].set_color(GREY)
    return Drawing(
        name="funnel",
        title="From catalog to records",
        alt="; ".join(f"{row['unit']} {row['step']}: {row['count']:,}" for row in rows) + ".",
        data=table,
        figure=figure,
    )
