"""Every figure that a build can show, drawn in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mgld.figures.categories import draw_categories
from mgld.figures.drawing import Drawing
from mgld.figures.exposure import draw_exposure
from mgld.figures.funnel import draw_funnel, funnel_table
from mgld.figures.images_per_landmark import draw_images_per_landmark
from mgld.figures.known_unknown import draw_known_unknown
from mgld.figures.records import ScoredRecords, read_records
from mgld.figures.sim_rsr import draw_sim_rsr
from mgld.figures.style import WIDE

if TYPE_CHECKING:
    from mgld.build.read import BuildView


def draw_build(
    view: BuildView, records: ScoredRecords | None = None, *, width: float = WIDE
) -> list[Drawing]:
    """Draw a build's figures at `width` inches, in the order in which a reader wants them.

    Known against unknown, and exposure, are drawn only where the source is a procedural world,
    which alone knows what the encoder was taught. `records`: what `read_records(view)` gives, where
    the caller has it already.
    """
    from mgld.world import read_ground_truth

    records = read_records(view) if records is None else records
    drawings = []
    truth = read_ground_truth(view.source_root())
    if len(records):
        drawings.append(
            draw_sim_rsr(
                records.landmark_id, records.sim, records.rank, records.names, records.subsets,
                width=width,
            )
        )  # fmt: skip
        if truth is not None:
            drawings += _teaching(records, truth, width)
        drawings.append(draw_categories(records.label, records.subsets, width=width))
    counts = view.table("catalog", "landmarks", ["image_count"])["image_count"]
    drawings.append(draw_images_per_landmark(counts.to_numpy().astype(np.int64), width=width))
    drawings.append(draw_funnel(funnel_table(view), width=width))
    return drawings


def _teaching(records: ScoredRecords, truth: pa.Table, width: float) -> list[Drawing]:
    """The two figures that need to know what the encoder was taught."""
    at = records.positions(truth["landmark_id"].to_numpy())
    truth = truth.filter(pa.array(at >= 0))
    rank = records.rank[at[at >= 0]]
    return [
        draw_known_unknown(rank, truth["tier"].to_pylist(), records.names, width=width),
        draw_exposure(
            rank,
            {
                "Views of the landmark itself": truth["taught_views"].to_numpy(),
                "Rarest part of its name": truth["taught_code_views"].to_numpy(),
            },
            records.names,
            width=width,
        ),
    ]
