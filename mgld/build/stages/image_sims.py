"""Stage embeddings, third step: the similarity of every image to the name of its own landmark.

It stands apart from the vectors because it depends on names and template, and they do not.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mgld.build.plan import Context, ShardSpec, Step
from mgld.build.runner import Report
from mgld.build.shards import Made, ShardTask
from mgld.build.stages.vectors import column_vectors, name_matrix
from mgld.scoring import exact_sim

SCHEMA = pa.schema([("image_id", pa.string()), ("sim", pa.float64())])


def shards(context: Context) -> list[ShardSpec]:
    """One per image archive, as those of the vectors."""
    shared = ("catalog/name_rows.", "embeddings/names-")
    return [
        ShardSpec(f"sims-{id}", reads=(*shared, f"embeddings/images-{id}.parquet"), argument=id)
        for id in context.source.archives
    ]


def make(task: ShardTask, report: Report) -> Made:
    """Write image_id and sim, a row for each row of the archive's vectors and in their order.

    `sim` is Sim with the own name (paper, section 3.1), exact; null where there is no vector.
    """
    own = task.table("catalog", "name_rows")
    landmark_ids, name_rows = (own[name].to_numpy() for name in ("landmark_id", "name_row"))
    names = name_matrix(task.root, task.version("embeddings/names-"))
    counts = {"ok": 0, "no_vector": 0}
    with (
        (task.root / "embeddings" / f"images-{task.argument}.parquet").open("rb") as handle,
        pq.ParquetWriter(
            task.work / f"{task.shard}.parquet", SCHEMA, compression="zstd", use_dictionary=False
        ) as writer,
    ):
        images = pq.ParquetFile(handle)
        for group in range(images.num_row_groups):
            table = images.read_row_group(group, ["image_id", "landmark_id", "vector"])
            there = table["vector"].is_valid()
            good = table.filter(there)
            rows = name_rows[np.searchsorted(landmark_ids, good["landmark_id"].to_numpy())]
            sims = _spread(exact_sim(column_vectors(good["vector"]), names[rows]), there)
            writer.write_table(pa.table([table["image_id"], sims], schema=SCHEMA))
            counts["ok"] += len(good)
            counts["no_vector"] += len(table) - len(good)
            report(len(table))
    return Made(sum(counts.values()), {"sim": counts})


def _spread(sims: NDArray[np.float64], there: pa.ChunkedArray) -> pa.Array:
    """The similarities at the rows that are `there`, null at the others."""
    mask = there.to_numpy()
    result = np.zeros(len(mask))
    result[mask] = sims
    return pa.array(result, mask=~mask)


STEP = Step(
    stage="embeddings",
    name="sims",
    version=1,
    after=("catalog/tables", "embeddings/names", "embeddings/images"),
    settings=lambda config, facts: {},
    shards=shards,
    make=make,
    portable=True,
)
