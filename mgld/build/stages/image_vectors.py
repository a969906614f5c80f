"""Stage embeddings, second step: every member of an archive as a row, with a vector or a reason.

The one step that touches every image, so the one whose speed counts: a member's bytes are read
once, hashed, decoded and prepared, on a GPU machine in threads while the model computes, and
encoded in batches of a fixed size, cut from the shard's readable images in their order. However
large images decode, there is one whole image a thread in memory, and what the tower sees of some
others. It knows nothing of names: another template or a corrected name encodes no image again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
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
from mgld.build.stages.vectors import Float32, id_array, vector_column
from mgld.gldv2 import ImageEntry, ImageError, decode_image, iter_images
from mgld.vision.pipeline import in_order
from mgld.vision.prepare import PIXELS, Pixels

if TYPE_CHECKING:
    from mgld.vision import Encoder

# Rows that are written in one go, as one row group, in batches: small enough that memory stays flat
# and that a single vector can be read back cheaply.
BATCHES_PER_BLOCK = 4

# Images that are prepared ahead of the model, in batches: one that it is given next, one in work.
BATCHES_AHEAD = 2

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
        return self.find_ids(np.array([each.encode() for each in image_ids], self.ids.dtype))

    def find_ids(self, wanted: NDArray[np.bytes_]) -> NDArray[np.int64]:
        """The same of ids that are bytes [n] already."""
        rows = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return np.where(self.ids[rows] == wanted, rows, -1)


@lru_cache(maxsize=1)
def read_links(root: Path, version: str) -> Links:
    """catalog/links, kept in the worker; `version` is the hash of its content."""
    table = read_table(root, "catalog", "links")
    return Links(id_array(table["image_id"]), table["landmark_id"].to_numpy())


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
    batch = task.config.batch_size
    schema = _schema(task.facts.embed_dim)
    with (
        worker_encoder(task) as encoder,
        pq.ParquetWriter(
            task.work / f"{task.shard}.parquet",
            schema,
            compression="zstd",
            use_dictionary=["landmark_id", "status", "reason", "source"],
        ) as writer,
    ):
        shard = _Shard(writer, schema, links, batch * BATCHES_PER_BLOCK, report)
        entries = iter_images(task.source_root, task.argument)
        opened = in_order(
            partial(_open, links=links, encoder=encoder),
            entries,
            threads=encoder.threads,
            ahead=batch * BATCHES_AHEAD,
        )
        for vectors in encoder.encode_prepared(shard.readable(opened), batch_size=batch):
            shard.add(vectors)
        shard.finish()
    counts = {"row": dict(sorted(shard.statuses.items())), "row_of": dict(shard.listed)}
    return Made(shard.statuses.total(), counts)


class _Shard:
    """Rows on their way to the table: kept until their vectors are there, written by the block."""

    def __init__(
        self,
        writer: pq.ParquetWriter,
        schema: pa.Schema,
        links: Links,
        block: int,
        report: Report,
    ) -> None:
        self.statuses: Counter[str] = Counter()
        self.listed: Counter[str] = Counter(listed=0, nothing_listed=0)
        self._writer, self._schema, self._links = writer, schema, links
        self._block, self._report = block, report
        self._rows: list[Row] = []
        self._vectors = np.empty((0, schema.field("vector").type.list_size), np.float32)
        self._read: set[str] = set()

    def readable(self, opened: Iterable[tuple[Row, Pixels | None]]) -> Iterator[Pixels]:
        """The images that have pixels, each when the encoder asks for it; a row for every one.

        A `duplicate` counts as such only if an earlier copy is readable: else it stands in.
        """
        for row, pixels in opened:
            entry = row.entry
            if entry.image_id in self._read:
                self._rows.append(Row(entry, row.link, entry.status, entry.reason))
                continue
            self._rows.append(row)
            if pixels is not None:
                self._read.add(entry.image_id)
                yield pixels

    def add(self, vectors: Float32) -> None:
        """Take the vectors of the next readable images; write the blocks that are whole now."""
        self._vectors = np.concatenate([self._vectors, vectors])
        while len(self._rows) >= self._block and self._needed() <= len(self._vectors):
            self._write()

    def finish(self) -> None:
        """Write what is left, at least an empty table."""
        while self._rows:
            self._write()
        if not self.statuses:
            self._writer.write_table(self._schema.empty_table())

    def _needed(self) -> int:
        """How many vectors the rows of the next block have."""
        return sum(row.status == "ok" for row in self._rows[: self._block])

    def _write(self) -> None:
        rows, needed = self._rows[: self._block], self._needed()
        table = _table(rows, self._vectors[:needed], self._links, self._schema)
        self._writer.write_table(table)
        del self._rows[: self._block]
        self._vectors = self._vectors[needed:]
        self.statuses.update(row.status for row in rows)
        self.listed.update("listed" if row.link >= 0 else "nothing_listed" for row in rows)
        self._report(len(rows))


def _open(entry: ImageEntry, links: Links, encoder: Encoder) -> tuple[Row, Pixels | None]:
    """Judge one member; its pixels only where it is listed and can be decoded."""
    place = replace(entry, data=None)
    link = int(links.find([entry.image_id])[0])
    if entry.data is None:
        return Row(place, link, entry.status, entry.reason), None
    if link < 0:
        return Row(place, link, NOT_LISTED, "the catalog does not list this image"), None
    digest = hashlib.sha256(entry.data).hexdigest()
    try:
        decoded = decode_image(entry.data, short_side=encoder.short_side)
    except ImageError as error:
        return Row(place, link, error.status, error.reason, digest), None
    row = Row(place, link, "ok", decoded.note, digest, decoded.width, decoded.height)
    return row, encoder.prepare(decoded.image)


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
    version=4,
    after=("catalog/tables",),
    settings=lambda config, facts: {
        **encoder_settings(config, facts),
        "pixels": PIXELS,
        "batch_size": config.batch_size,
        "batches_per_block": BATCHES_PER_BLOCK,
    },
    shards=shards,
    make=make,
    portable=True,
)
