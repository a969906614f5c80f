"""Stage embeddings, second step: every member of an archive as a row, with a vector or a reason.

The one step that touches every image, so the one whose speed counts: a member's bytes are read
once, hashed, decoded, prepared and encoded in batches of a fixed size. Members are taken one by
one: however large they decode, one whole image is in memory and a batch of prepared ones. It knows
nothing of names: another template or a corrected name encodes no image again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mgld.build.plan import Context, ShardSpec, Step
from mgld.build.read import read_table
from mgld.build.runner import Report
from mgld.build.shards import Made, ShardTask
from mgld.build.stages.encoder import encoder_settings, worker_encoder
from mgld.build.stages.vectors import Float32, vector_column
from mgld.gldv2 import ImageEntry, ImageError, decode_image, iter_images

if TYPE_CHECKING:
    from PIL.Image import Image

# A block is encoded and written in one go, as one row group: small enough that memory stays flat
# and that a single vector can be read back cheaply, large enough that few batches are cut short.
BATCHES_PER_BLOCK = 4

NOT_LISTED = "unlisted"


def shards(context: Context) -> list[ShardSpec]:
    """One per image archive; FileNotFoundError where the source has none."""
    archives = context.source.archives
    if not archives:
        root = context.config.source_root(context.root)
        raise FileNotFoundError(
            f"{root} holds no images: expected train/images_NNN.tar, or folders train/a/b/c/"
        )
    reads = ("catalog/links.",)
    return [ShardSpec(f"images-{id}", reads=reads, sources=(id,), argument=id) for id in archives]


@dataclass(frozen=True)
class Links:
    """catalog/links as arrays: ids bytes [I] ascending, landmark_ids int64 [I]."""

    ids: NDArray[np.bytes_]
    landmark_ids: NDArray[np.int64]

    def find(self, image_ids: list[str]) -> NDArray[np.int64]:
        """Rows of the images int64 [n], -1 for those that are not listed."""
        wanted = np.array([image_id.encode() for image_id in image_ids], dtype=self.ids.dtype)
        rows = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return np.where(self.ids[rows] == wanted, rows, -1)


@lru_cache(maxsize=1)
def read_links(root: Path, version: str) -> Links:
    """catalog/links, kept in the worker; `version` is the hash of its content."""
    table = read_table(root, "catalog", "links")
    ids = np.array(table["image_id"].to_pylist(), dtype=np.bytes_)
    return Links(ids, table["landmark_id"].to_numpy())


@dataclass
class Row:
    """One member of the archive on its way to the table; `entry` without its data."""

    entry: ImageEntry
    link: int
    status: str
    reason: str
    sha256: str | None = None
    width: int | None = None
    height: int | None = None


def make(task: ShardTask, report: Report) -> Made:
    """Write one row per member: who it is, what became of it, where its bytes lie, its vector.

    status: `ok`, `unlisted` (not in the catalog; neither decoded nor encoded), or what
    `mgld.gldv2.iter_images` and `decode_image` call their failures. `vector` is null unless the
    status is `ok`; so is landmark_id for the unlisted.
    """
    links = read_links(task.root, task.version("catalog/links."))
    statuses: Counter[str] = Counter()
    listed: Counter[str] = Counter(listed=0, nothing_listed=0)
    schema = _schema(task.facts.embed_dim)
    entries = iter_images(task.source_root, task.argument)
    with (
        worker_encoder(task) as encoder,
        pq.ParquetWriter(
            task.work / f"{task.shard}.parquet",
            schema,
            compression="zstd",
            use_dictionary=["landmark_id", "status", "reason", "source"],
        ) as writer,
    ):
        batch = task.config.batch_size
        readable: set[str] = set()
        while True:
            rows: list[Row] = []
            block = islice(entries, batch * BATCHES_PER_BLOCK)
            images = _images(block, links, readable, rows)
            vectors = encoder.encode_images(images, batch_size=batch)
            if not rows:
                break
            writer.write_table(_table(rows, vectors, links, schema))
            statuses.update(row.status for row in rows)
            listed.update("listed" if row.link >= 0 else "nothing_listed" for row in rows)
            report(len(rows))
        if not statuses:
            writer.write_table(schema.empty_table())
    counts = {"row": dict(sorted(statuses.items())), "row_of": dict(listed)}
    return Made(statuses.total(), counts)


def _images(
    block: Iterator[ImageEntry], links: Links, readable: set[str], rows: list[Row]
) -> Iterator[Image]:
    """The images of a block that are listed and readable, each decoded when it is asked for.

    Appends a row per member to `rows`, and the ids of the images to `readable`.
    """
    for entry in block:
        row, image = _open(entry, int(links.find([entry.image_id])[0]), readable)
        rows.append(row)
        if image is not None:
            readable.add(entry.image_id)
            yield image


def _open(entry: ImageEntry, link: int, readable: set[str]) -> tuple[Row, Image | None]:
    """Judge one member; the image only where it is listed and can be decoded.

    A `duplicate` counts as such only if an earlier copy is in `readable`: else it stands in.
    """
    place = replace(entry, data=None)
    if entry.data is None or entry.image_id in readable:
        return Row(place, link, entry.status, entry.reason), None
    if link < 0:
        return Row(place, link, NOT_LISTED, "the catalog does not list this image"), None
    digest = hashlib.sha256(entry.data).hexdigest()
    try:
        decoded = decode_image(entry.data)
    except ImageError as error:
        return Row(place, link, error.status, error.reason, digest), None
    row = Row(place, link, "ok", decoded.note, digest, decoded.width, decoded.height)
    return row, decoded.image


def _schema(dim: int) -> pa.Schema:
    return pa.schema(
        [
            ("image_id", pa.string()),
            ("landmark_id", pa.int64()),
            ("status", pa.string()),
            ("reason", pa.string()),
            ("source", pa.string()),
            ("offset", pa.int64()),
            ("size", pa.int64()),
            ("sha256", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("vector", pa.list_(pa.float32(), dim)),
        ]
    )


def _table(rows: list[Row], vectors: Float32, links: Links, schema: pa.Schema) -> pa.Table:
    link = np.array([row.link for row in rows], dtype=np.int64)
    failed = np.array([row.status != "ok" for row in rows])
    spread = np.zeros((len(rows), vectors.shape[1]), np.float32)
    spread[~failed] = vectors
    entries = [row.entry for row in rows]
    return pa.Table.from_arrays(
        [
            pa.array([entry.image_id for entry in entries], pa.string()),
            pa.array(links.landmark_ids[link], pa.int64(), mask=link < 0),
            pa.array([row.status for row in rows], pa.string()),
            pa.array([row.reason for row in rows], pa.string()),
            pa.array([entry.source for entry in entries], pa.string()),
            pa.array([entry.offset for entry in entries], pa.int64()),
            pa.array([entry.size for entry in entries], pa.int64()),
            pa.array([row.sha256 for row in rows], pa.string()),
            pa.array([row.width for row in rows], pa.int32()),
            pa.array([row.height for row in rows], pa.int32()),
            vector_column(spread, failed),
        ],
        schema=schema,
    )


STEP = Step(
    stage="embeddings",
    name="images",
    version=3,
    after=("catalog/tables",),
    settings=lambda config, facts: {
        **encoder_settings(config, facts),
        "batch_size": config.batch_size,
        "batches_per_block": BATCHES_PER_BLOCK,
    },
    shards=shards,
    make=make,
    portable=True,
)
