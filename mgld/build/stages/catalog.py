"""Stage catalog: GLDv2's metadata as four tables, and what the image stages need of them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from mgld.build.plan import Context, ShardSpec, Step
from mgld.build.runner import Report
from mgld.build.shards import Counts, Made, ShardTask, write_parquet
from mgld.build.source import METADATA
from mgld.gldv2 import read_catalog

SHARD = "tables"


def make(task: ShardTask, report: Report) -> Made:
    """Write landmarks, images, rejects, names, links and name_rows.

    links.parquet: image_id str, landmark_id int64, sorted by image_id. name_rows.parquet:
    landmark_id int64, name_row int64 (row of names.parquet), sorted by landmark_id. They are apart
    from the rest and from each other so that a changed licence, author or name does not make every
    image be encoded again.

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
    links = catalog.images.select(["image_id", "landmark_id"])
    write_parquet(links, task.work / "links.parquet")
    write_parquet(_name_rows(catalog.landmarks, names), task.work / "name_rows.parquet")
    counts: Counts = {
        "landmark": {"listed": len(catalog.landmarks)},
        "image": {"listed": len(catalog.images)},
        "name": {"unique": len(names)},
        **catalog.counts(),
    }
    return Made(len(catalog.landmarks) + len(catalog.images), counts)


def _name_rows(landmarks: pa.Table, names: pa.Table) -> pa.Table:
    rows = pc.index_in(landmarks["name"], value_set=names["name"].combine_chunks())
    return pa.table({"landmark_id": landmarks["landmark_id"], "name_row": rows.cast(pa.int64())})


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
    version=2,
    after=(),
    settings=lambda config, facts: {},
    shards=lambda context: [ShardSpec(SHARD, sources=(METADATA,))],
    make=make,
)
