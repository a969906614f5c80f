"""From catalog to records: what came in, what was lost on the way, and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from mgld.figures.axes import new_figure
from mgld.figures.drawing import Drawing
from mgld.figures.style import BLUE, GREY, INK, SKY, VERMILLION, WIDE, style

if TYPE_CHECKING:
    from mgld.build.read import BuildView

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
    images = view.table("catalog", "images", ["image_id"]).num_rows
    landmarks = view.table("catalog", "landmarks", ["landmark_id"]).num_rows
    rows: list[dict[str, object]] = []

    def step(unit: str, name: str, count: int, losses: dict[str, int]) -> None:
        """Append a step; its losses must explain the whole difference to the step before."""
        before = next((row["count"] for row in reversed(rows) if row["unit"] == unit), None)
        lost = sum(losses.values())
        if before is not None and before != count + lost:
            raise ValueError(
                f"{view.root}: {unit} do not add up at {name!r}: {before} before, {count} after, "
                f"{lost} accounted for; check the build with `mgld verify`"
            )
        why = ", ".join(f"{n:,} {reason.replace('_', ' ')}" for reason, n in losses.items())
        rows.append({"unit": unit, "step": name, "count": count, "lost": lost, "why": why})

    step("images", "in the catalog", images, {})
    readable, losses = _kept(view, "embeddings", "images")
    absent = images - readable - sum(losses.values())
    step("images", "readable", readable, losses | ({"absent": absent} if absent > 0 else {}))

    step("landmarks", "in the catalog", landmarks, {})
    step("landmarks", "with a chosen image", *_kept(view, "selection", "part"))
    for stage, name in (
        ("qa", "with question and answer"),
        ("entities", "with entities and label"),
        ("scores", "scored"),
    ):
        count, lost = _kept(view, stage, "part")
        # Later stages write a row for what an earlier one lost, too: count only what is new.
        before = sum(row["lost"] for row in rows if row["unit"] == "landmarks")  # type: ignore[misc]
        if sum(lost.values()) >= before > 0:
            lost = _subtract(lost, before)
        step("landmarks", name, count, lost)
    splits = view.table("splits", "records", ["split"])["split"].to_pylist()
    for split, name in (("train", "for training"), ("test", "set aside as test")):
        rows.append({"unit": "records", "step": name, "count": splits.count(split), "lost": 0,
                     "why": ""})  # fmt: skip
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _kept(view: BuildView, stage: str, name: str) -> tuple[int, dict[str, int]]:
    """Rows with status "ok", and how many there are of every other status, most frequent first."""
    status = view.table(stage, name, ["status"])["status"]
    counts = {row["values"]: row["counts"] for row in pc.value_counts(status).to_pylist()}
    ok = counts.pop("ok", 0)
    return ok, dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _subtract(lost: dict[str, int], already: int) -> dict[str, int]:
    remaining = Counter(lost)
    for reason in list(remaining):
        taken = min(already, remaining[reason])
        remaining[reason] -= taken
        already -= taken
    return {reason: count for reason, count in remaining.items() if count}


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
