"""Stage scores of a rehearsal: some chunks for real, the others from a keyed generator.

The matrix product of 203,094 images and as many names takes longer than all other stages together,
and its cost grows with the number of images alone: a few chunks tell what all would take.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.scale.vectors import enter, planned
from mgld.build import BuildView
from mgld.build.plan import shard_task
from mgld.build.runner import local_runner
from mgld.build.shards import make_shard, write_parquet
from mgld.build.stages import STEPS
from mgld.build.stages.scores import NEAREST, SCHEMA
from mgld.keyed import generator

STEP = "scores/part"
MEDIAN_RANK = 40.0


def score_some(root: Path, chunks: int, workers: int) -> None:
    """Make the first `chunks` shards with the stage's own code, as the driver would."""
    plan, context = planned(root, STEP)
    work = root / ".work" / "rehearsal"
    tasks = [shard_task(STEPS[STEP], shard, context, work) for shard in plan[:chunks]]
    done = {}
    with local_runner(workers) as runner:
        for task, output in runner.run(make_shard, tasks, lambda _task, _rows: None):
            (name,) = output.files
            (root / "scores").mkdir(exist_ok=True)
            (output.folder / name).replace(root / "scores" / name)
            done[task.shard] = (f"scores/{name}", output.made.rows, output.made.counts)
    enter(root, STEP, done)


def fill_scores(root: Path) -> None:
    """Write the shards that are missing: Sim as stage selection found it, the rest drawn."""
    plan, _ = planned(root, STEP)
    names = BuildView(root).table("catalog", "names", ["name"])["name"].combine_chunks()
    view = BuildView(root)
    done = {}
    for shard in plan:
        if shard.state == "done":
            continue
        chosen = view.table("selection", shard.spec.id, ["landmark_id", "status", "image_id"])
        table = _drawn(chosen, names, shard.spec.id)
        path = f"scores/{shard.spec.id}.parquet"
        (root / "scores").mkdir(exist_ok=True)
        write_parquet(table, root / path)
        done[shard.spec.id] = (path, len(table), {"landmark": {"ok": len(table)}})
    enter(root, STEP, done)


def _drawn(chosen: pa.Table, names: pa.Array, id: str) -> pa.Table:
    rng = generator(0, "rehearsal/scores", id)
    count = len(chosen)
    top = len(names) - 1
    rank = 1 + np.minimum(rng.exponential(MEDIAN_RANK / np.log(2), count).astype(np.int64), top)
    near = rng.integers(0, len(names), (count, NEAREST))
    offsets = np.arange(count + 1, dtype=np.int32) * NEAREST
    columns = {
        "landmark_id": chosen["landmark_id"],
        "image_id": chosen["image_id"],
        "status": chosen["status"],
        "sim": rng.uniform(0.1, 0.4, count),
        "rank": rank,
        "rsr": 1 - (rank - 1) / max(1, top),
        "margin": np.where(rank == 1, 1, -1) * rng.uniform(0, 0.1, count),
        "nearest": pa.ListArray.from_arrays(offsets, names.take(pa.array(near.ravel()))),
        "nearest_sim": pa.ListArray.from_arrays(offsets, rng.uniform(0.1, 0.4, near.size)),
    }
    return pa.table(columns, schema=SCHEMA)


if __name__ == "__main__":
    score_some(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
