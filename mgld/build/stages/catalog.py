"""Stage catalog: GLDv2's metadata as four tables, and what the image stages need of them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mgld.build.plan import Context, ShardSpec, Step
from mgld.build.runner import Report
from mgld.build.shards import Counts, Made, ShardTask, write_parquet
from mgld.build.source import METADATA
from mgld.gldv2 import Catalog, read_catalog

SHARD = "tables"


def make(task: ShardTask, report: Report) -> Made:
    """Write landmarks, images, rejects, names and links.

    links.parquet: image_id str, landmark_id int64, name_row int64 (row of names.parquet), sorted by
    image_id. It is apart from images.parquet so that a changed licence or author does not make
    every image be encoded again.

    ValueError where no landmark or no image is usable.
    """
    catalog = read_catalog(task.source_root)
    if len(catalog.landmarks) == 0 or len(catalog.images) == 0:
        reasons = catalog.rejects["reason"].unique().to_pylist()[:3]
        raise ValueError(
            f"{task.source_root} lists {len(catalog.landmarks)} usable landmarks and "
            f"{len(catalog.images)} usable images"
            + (f"; rows were rejected because: {'; '.join(reasons)}" if reasons else "")
        )
    names = catalog.names
    write_parquet(catalog.landmarks, task.work / "landmarks.parquet")
    write_parquet(catalog.images, task.work / "images.parquet")
    write_parquet(catalog.rejects, task.work / "rejects.parquet")
    write_parquet(names, task.work / "names.parquet")
    write_parquet(_links(catalog, names), task.work / "links.parquet")
    counts: Counts = {
        "landmark": {"listed": len(catalog.landmarks)},
        "image": {"listed": len(catalog.images)},
        "name": {"unique": len(names)},
        **catalog.counts(),
    }
    return Made(len(catalog.landmarks) + len(catalog.images), counts)


def _links(catalog: Catalog, names: pa.Table) -> pa.Table:
    landmarks = catalog.landmarks
    name_rows = pc.index_in(landmarks["name"], value_set=names["name"].combine_chunks())
    ids = catalog.images["landmark_id"]
    rows = np.searchsorted(landmarks["landmark_id"].to_numpy(), ids.to_numpy())
    return pa.table(
        {
            "image_id": catalog.images["image_id"],
            "landmark_id": ids,
            "name_row": name_rows.cast(pa.int64()).to_numpy()[rows],
        }
    )


def listed(context: Context, what: str, key: str = "listed") -> int:
    """How many landmarks, images or names the finished catalog has."""
    return context.manifest.stage("catalog").shards[SHARD].counts[what][key]


def chunk_ids(context: Context) -> list[str]:
    """Shard ids of the stages that work on chunks of landmarks."""
    chunks = -(-listed(context, "landmark") // context.config.chunk)
    return [f"part-{number:05d}" for number in range(chunks)]


STEP = Step(
    stage="catalog",
    name=SHARD,
    version=1,
    after=(),
    settings=lambda config, facts: {},
    shards=lambda context: [ShardSpec(SHARD, sources=(METADATA,))],
    make=make,
)
