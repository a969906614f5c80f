"""Every figure that a build can show, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mgld.figures.categories import draw_categories
from mgld.figures.dispersion import draw_dispersion
from mgld.figures.drawing import Drawing
from mgld.figures.exposure import draw_exposure
from mgld.figures.funnel import draw_funnel, funnel_table
from mgld.figures.gldv2_tables import draw_gldv2_tables, gldv2_tables
from mgld.figures.images_per_landmark import draw_images_per_landmark
from mgld.figures.known_unknown import draw_known_unknown
from mgld.figures.records import ScoredRecords, read_records
from mgld.figures.sim_rsr import draw_sim_rsr
from mgld.figures.style import WIDE
from mgld.figures.tsne import draw_tsne, tsne_map, tsne_sample

if TYPE_CHECKING:
    from mgld.build.read import BuildView


class LackingError(ValueError):
    """The source has not got what a figure needs; says what that is."""


class BuildData:
    """What figures need of a build, each part read when it is first asked for.

    records: what `read_records(view)` gives, where the caller has it already. What a build that is
    not complete lacks raises FileNotFoundError, as `BuildView.table` does.
    """

    def __init__(self, view: BuildView, records: ScoredRecords | None = None) -> None:
        self.view = view
        if records is not None:
            self.__dict__["records"] = records

    @cached_property
    def records(self) -> ScoredRecords:
        """The build's records, as `read_records` gives them."""
        return read_records(self.view)

    def scored(self) -> ScoredRecords:
        """The records; LackingError where there are none."""
        if not len(self.records):
            raise LackingError("records with a score, and this build has none")
        return self.records

    @cached_property
    def taught(self) -> tuple[npt.NDArray[np.int64], pa.Table]:
        """Ranks of the records that a world knows of, and its rows about them, in one order."""
        from mgld.world import read_ground_truth

        truth = read_ground_truth(self.view.source_root())
        if truth is None:
            raise LackingError("to know what the encoder was taught: a procedural world")
        records = self.scored()
        at = records.positions(truth["landmark_id"].to_numpy())
        return records.rank[at[at >= 0]], truth.filter(pa.array(at >= 0))

    @cached_property
    def vectors(self) -> npt.NDArray[np.float32]:
        """Unit vectors of the records' images, float32 [M, d], in their order."""
        from mgld.build.stages.vectors import column_vectors

        table = self.view.table("selection", "part", ["landmark_id", "status", "vector"])
        table = table.filter(pc.equal(table["status"], "ok"))
        ids = table["landmark_id"].to_numpy()
        order = np.argsort(ids)
        at = order[np.searchsorted(ids[order], self.scored().landmark_id)]
        return column_vectors(table["vector"])[at]


def _sim_rsr(data: BuildData, width: float) -> Drawing:
    of = data.scored()
    return draw_sim_rsr(of.landmark_id, of.sim, of.rank, of.names, of.subsets, width=width)


def _known_unknown(data: BuildData, width: float) -> Drawing:
    rank, truth = data.taught
    return draw_known_unknown(rank, truth["tier"].to_pylist(), data.records.names, width=width)


def _exposure(data: BuildData, width: float) -> Drawing:
    rank, truth = data.taught
    shown = {
        "Views of the landmark itself": truth["taught_views"].to_numpy(),
        "Rarest part of its name": truth["taught_code_views"].to_numpy(),
    }
    return draw_exposure(rank, shown, data.records.names, width=width)


def _categories(data: BuildData, width: float) -> Drawing:
    return draw_categories(data.scored().label, data.records.subsets, width=width)


def _tsne(data: BuildData, width: float) -> Drawing:
    of = data.scored()
    shown = tsne_sample(of.landmark_id, of.subsets)
    try:
        position = tsne_map(data.vectors[shown])
    except ValueError as error:  # too few
        raise LackingError(str(error)) from error
    label = [text for text, there in zip(of.label, shown.tolist(), strict=True) if there]
    subsets = {method: mask[shown] for method, mask in of.subsets.items()}
    return draw_tsne(of.landmark_id[shown], position, label, subsets, width=width)


def _dispersion(data: BuildData, width: float) -> Drawing:
    from mgld.scoring.dispersion import DRAWS, measure_dispersion

    of = data.scored()
    if not of.subsets:
        raise LackingError("subsets, and this build is too small for any")
    # Of subsets of 25,000 records a draw takes a second: a hundred of each kind, some minutes.
    draws = int(np.clip(2_000_000 // max(of.subset_size, 1), 100, DRAWS))
    measured = measure_dispersion(
        data.vectors, of.label, of.subsets, candidates=~of.test, draws=draws
    )
    return draw_dispersion(measured, width=width)


def _images_per_landmark(data: BuildData, width: float) -> Drawing:
    counts = data.view.table("catalog", "landmarks", ["image_count"])["image_count"]
    return draw_images_per_landmark(counts.to_numpy().astype(np.int64), width=width)


def _gldv2_tables(data: BuildData, width: float) -> Drawing:
    from mgld.gldv2.catalog import IMAGES_CSV

    landmarks = data.view.table("catalog", "landmarks", ["image_count"])
    shards = data.view.manifest.stages.get("catalog")
    counts = next(iter(shards.shards.values())).counts if shards and shards.shards else {}
    if IMAGES_CSV not in counts:
        raise LackingError("counts of the source's tables, which this build's manifest has not got")
    rejects = data.view.table("catalog", "rejects", ["table", "reason"])
    image_count = landmarks["image_count"].to_numpy().astype(np.int64)
    return draw_gldv2_tables(gldv2_tables(counts, rejects, image_count), width=width)


def _funnel(data: BuildData, width: float) -> Drawing:
    return draw_funnel(funnel_table(data.view), width=width)


BUILD_FIGURES: Final[dict[str, Callable[[BuildData, float], Drawing]]] = {
    "sim-rsr": _sim_rsr,
    "known-unknown": _known_unknown,
    "exposure": _exposure,
    "categories": _categories,
    "tsne": _tsne,
    "dispersion": _dispersion,
    "images-per-landmark": _images_per_landmark,
    "gldv2-tables": _gldv2_tables,
    "funnel": _funnel,
}
"""Name -> function of a build and a width, in the order in which a reader wants them.

Each raises LackingError where the build has not got what it needs, FileNotFoundError where a stage
has not run."""

_OF_A_REPORT: Final = (
    "sim-rsr",
    "known-unknown",
    "exposure",
    "categories",
    "images-per-landmark",
    "funnel",
)


def draw_build(
    view: BuildView, records: ScoredRecords | None = None, *, width: float = WIDE
) -> list[Drawing]:
    """Draw the figures of a build's report at `width` inches, as far as the build has them.

    Known against unknown, and exposure, are drawn only where the source is a procedural world,
    which alone knows what the encoder was taught. `records`: what `read_records(view)` gives, where
    the caller has it already. `BUILD_FIGURES` has further ones, which take longer.
    """
    data = BuildData(view, records)
    drawings = []
    for name in _OF_A_REPORT:
        try:
            drawings.append(BUILD_FIGURES[name](data, width))
        except LackingError:
            continue
    return drawings
