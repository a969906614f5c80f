"""The records a subset is cut from, read from a build folder or a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mgld.scoring.subsets import select

if TYPE_CHECKING:
    import pyarrow as pa

_SCORES = ["landmark_id", "sim", "rank", "rsr", "margin"]


@dataclass(frozen=True)
class Pool:
    """Scored training records in any order: arrays [M] as `select` takes them, and the seed."""

    landmark_id: NDArray[np.int64]
    sim: NDArray[np.float64]
    rank: NDArray[np.int64]
    rsr: NDArray[np.float64]
    margin: NDArray[np.float64]
    seed: int

    def subset(self, method: str, size: int, *, seed: int | None = None) -> pa.Table:
        """The best `size` records by `method`, best first.

        Columns position int64 (from 0), landmark_id, sim, rank, rsr, margin. seed: of `brs`; None:
        the pool's own. ValueError as `select`.
        """
        import pyarrow as pa

        rows = select(
            self.sim,
            self.rank,
            self.rsr,
            self.margin,
            self.landmark_id,
            method=method,
            size=size,
            seed=self.seed if seed is None else seed,
        )
        columns = {name: getattr(self, name)[rows] for name in _SCORES}
        return pa.table({"position": np.arange(size), **columns})


def read_pool(folder: str | Path) -> Pool:
    """The training records of a build folder (stages scores and splits) or a dataset (config full).

    `folder` may also be a Hub id. Records without scores are left out. FileNotFoundError or
    ValueError where there is nothing to read.
    """
    root = Path(folder)
    if (root / "manifest.json").is_file():
        return _build_pool(root)
    import mgld

    records = mgld.load(str(folder), "full", split="train", columns=_SCORES)
    return _pool(records.with_format("arrow")[:], seed=0)


def _build_pool(root: Path) -> Pool:
    """From the Parquet files of a build; this package stands below `mgld.build`."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import yaml

    parts = sorted((root / "scores").glob("part-*.parquet"))
    records = root / "splits" / "records.parquet"
    if not parts or not records.is_file():
        raise FileNotFoundError(
            f"{root} has no scores and splits yet: finish the build (`mgld status {root}` shows "
            "what is missing)"
        )
    # partitioning=None: a folder called a=b is not a column.
    scores = pa.concat_tables(
        pq.read_table(part, columns=["status", *_SCORES], partitioning=None) for part in parts
    )
    split = pq.read_table(records, columns=["landmark_id", "split"], partitioning=None)
    train = split.filter(np.asarray(split["split"]) == "train")["landmark_id"].to_numpy()
    missing = np.setdiff1d(train, scores["landmark_id"].to_numpy())
    if len(missing):
        raise ValueError(
            f"{root}: {len(missing)} training records have no scores (first: landmark "
            f"{missing[0]}); run the build again"
        )
    keep = np.isin(scores["landmark_id"].to_numpy(), train) & (np.asarray(scores["status"]) == "ok")
    config = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    return _pool(scores.filter(keep), seed=int(config["seed"]))


def _pool(table: pa.Table, *, seed: int) -> Pool:
    """Arrays of the rows that have scores."""
    scored = np.ones(len(table), dtype=np.bool_)
    for name in _SCORES:
        scored &= ~np.asarray(table[name].is_null(nan_is_null=True))
    kept = table.filter(scored)

    def column(name: str, dtype: type) -> NDArray[Any]:
        values: NDArray[Any] = kept[name].to_numpy().astype(dtype)
        return values

    return Pool(
        landmark_id=column("landmark_id", np.int64),
        sim=column("sim", np.float64),
        rank=column("rank", np.int64),
        rsr=column("rsr", np.float64),
        margin=column("margin", np.float64),
        seed=seed,
    )
