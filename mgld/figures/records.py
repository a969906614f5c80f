"""A build's scored records as arrays, the form in which figures and reports need them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mgld.figures.style import METHODS

if TYPE_CHECKING:
    from mgld.build.read import BuildView

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ScoredRecords:
    """Every record with a score, by landmark_id ascending; M of them against `names` names.

    landmark_id, rank int64 [M]; sim, rsr, margin float64 [M]; name, label: M strings (label: the
    refined hierarchical label or None); test bool [M]; subsets: method -> bool [M] for the first
    `subset_size` records of each method.
    """

    landmark_id: IntArray
    name: list[str]
    label: list[str | None]
    sim: FloatArray
    rank: IntArray
    rsr: FloatArray
    margin: FloatArray
    names: int
    test: BoolArray
    subsets: dict[str, BoolArray]
    subset_size: int

    def __len__(self) -> int:
        return len(self.landmark_id)

    def positions(self, landmark_id: IntArray) -> IntArray:
        """Row of each landmark; -1 for one that has no score."""
        if len(self) == 0:
            return np.full(len(landmark_id), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.landmark_id, landmark_id), len(self) - 1)
        found = self.landmark_id[at] == landmark_id
        return np.where(found, at, -1).astype(np.int64)


def read_records(view: BuildView) -> ScoredRecords:
    """Read scores, names, labels, splits and subsets of a build and join them by landmark."""
    scores = view.table("scores", "part", ["landmark_id", "status", "sim", "rank", "rsr", "margin"])
    scores = scores.filter(pc.equal(scores["status"], "ok")).sort_by("landmark_id")
    ids = scores["landmark_id"].to_numpy()
    names = _by_landmark(view.table("catalog", "landmarks", ["landmark_id", "name"]))
    labels = _by_landmark(view.table("entities", "part", ["landmark_id", "hierarchical_label"]))
    splits = _by_landmark(view.table("splits", "records", ["landmark_id", "split"]))
    records = ScoredRecords(
        landmark_id=ids,
        name=[names[i] for i in ids.tolist()],
        label=[labels.get(i) for i in ids.tolist()],
        sim=scores["sim"].to_numpy(),
        rank=scores["rank"].to_numpy().astype(np.int64),
        rsr=scores["rsr"].to_numpy(),
        margin=scores["margin"].to_numpy(),
        names=view.table("catalog", "names", ["name"]).num_rows,
        test=np.array([splits.get(i) == "test" for i in ids.tolist()], dtype=np.bool_),
        subsets={},
        subset_size=0,
    )
    return _with_subsets(records, view)


def _by_landmark(table: pa.Table) -> dict[int, Any]:
    """Second column of a table by its first, the landmark_id."""
    return dict(zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True))


def _with_subsets(records: ScoredRecords, view: BuildView) -> ScoredRecords:
    """Add the subsets at one size: of those built, the largest that holds at most a quarter.

    Larger ones hold nearly everything and so look alike; the paper's 50k of 203k is a quarter.
    """
    table = view.table("splits", "subsets", ["method", "position", "landmark_id"])
    rows = {method: table.filter(pc.equal(table["method"], method)) for method in METHODS}
    rows = {method: chosen for method, chosen in rows.items() if chosen.num_rows}
    available = min((chosen.num_rows for chosen in rows.values()), default=0)
    size = _shown_size(view, int((~records.test).sum()), available)
    subsets = {}
    for method, chosen in rows.items():
        first = chosen.filter(pc.less(chosen["position"], size))["landmark_id"].to_numpy()
        subsets[method] = np.zeros(len(records), dtype=np.bool_)
        subsets[method][records.positions(first)] = True
    return replace(records, subsets=subsets, subset_size=size)


def _shown_size(view: BuildView, training: int, available: int) -> int:
    from mgld.scoring import default_sizes

    sizes = [k for k in view.config.sizes or default_sizes(training) if k <= available]
    fitting = [k for k in sizes if 4 * k <= training]
    return max(fitting) if fitting else min(sizes, default=available)
