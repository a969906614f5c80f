"""Stage scores (paper, section 3.2): Sim, rank, RSR, margin and the nearest names."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mgld.build.plan import Context, ShardSpec, Step
from mgld.build.runner import Report
from mgld.build.shards import Made, ShardTask, count, write_parquet
from mgld.build.stages.catalog import chunk_ids
from mgld.build.stages.landmark_rows import chunk_landmarks
from mgld.build.stages.threads import torch_threads
from mgld.build.stages.vectors import column_vectors, name_matrix
from mgld.scoring import NameScorer

NEAREST = 10

SCHEMA = pa.schema(
    [
        ("landmark_id", pa.int64()),
        ("image_id", pa.string()),
        ("status", pa.string()),
        ("sim", pa.float64()),
        ("rank", pa.int64()),
        ("rsr", pa.float64()),
        ("margin", pa.float64()),
        ("nearest", pa.list_(pa.string())),
        ("nearest_sim", pa.list_(pa.float64())),
    ]
)


def shards(context: Context) -> list[ShardSpec]:
    """One per chunk of landmarks, each against all names."""
    shared = ("catalog/landmarks.", "catalog/names.", "embeddings/names-")
    return [
        ShardSpec(id, reads=(*shared, f"selection/{id}."), argument=number * context.config.chunk)
        for number, id in enumerate(chunk_ids(context))
    ]


def make(task: ShardTask, report: Report) -> Made:
    """Score the chosen images of a chunk; a landmark without one is `skipped`, its scores null."""
    columns = ["landmark_id", "status", "image_id", "vector"]
    chosen = task.table("selection", task.shard, columns)
    has = np.array([status == "ok" for status in chosen["status"].to_pylist()])
    rows: list[dict[str, Any]] = [
        {"landmark_id": landmark_id, "status": "skipped"}
        for landmark_id in chosen["landmark_id"].to_pylist()
    ]
    if has.any():
        chosen = chosen.filter(pa.array(has))
        _score(task, chosen, [rows[i] for i in np.flatnonzero(has)], report)
    write_parquet(pa.Table.from_pylist(rows, SCHEMA), task.work / f"{task.shard}.parquet")
    return Made(len(rows), {"landmark": count(row["status"] for row in rows)})


@lru_cache(maxsize=1)
def _scorer(root: Path, version: str, to_come: int) -> NameScorer:
    """The names, prepared once for all shards of a worker; `version` as for `name_matrix`."""
    return NameScorer(name_matrix(root, version), k=NEAREST, to_come=to_come)


def _score(task: ShardTask, chosen: pa.Table, rows: list[dict[str, Any]], report: Report) -> None:
    """Fill in the rows of landmarks that have an image."""
    names = task.table("catalog", "names", ["name"])["name"].to_pylist()
    row_of = {name: row for row, name in enumerate(names)}
    landmarks = chunk_landmarks(task)
    own = [row_of[landmarks[row["landmark_id"]]["name"]] for row in rows]
    vectors = column_vectors(chosen["vector"])
    with torch_threads(task.config.threads):
        scorer = _scorer(task.root, task.version("embeddings/names-"), len(names))
        scores = scorer.score(vectors, np.array(own, np.int64))
    report(len(rows))
    for i, (row, image_id) in enumerate(zip(rows, chosen["image_id"].to_pylist(), strict=True)):
        there = scores.nearest[i] >= 0
        row |= {
            "status": "ok",
            "image_id": image_id,
            "sim": float(scores.sim[i]),
            "rank": int(scores.rank[i]),
            "rsr": float(scores.rsr[i]),
            "margin": float(scores.margin[i]),
            "nearest": [names[name_row] for name_row in scores.nearest[i][there]],
            "nearest_sim": scores.nearest_sim[i][there].tolist(),
        }


STEP = Step(
    stage="scores",
    name="part",
    version=1,
    after=("selection/part", "embeddings/names"),
    # All backends give the same numbers (docs/definitions.md, "Exactness"): it is no setting.
    settings=lambda config, facts: {"nearest": NEAREST},
    shards=shards,
    make=make,
    portable=True,
)
