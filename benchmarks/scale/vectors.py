"""What stage embeddings would have written, from a keyed generator instead of an encoder.

Vectors are shaped as CLIP's: images and names in cones of their own, an image nearer to its
landmark's name than to others, a decaying spectrum. The shards are entered into the build's
manifest with the binding that they would have, so that `mgld build` goes on from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.scale.source import image_ids, owners, stand_in, tar_bounds
from mgld.build import BuildView
from mgld.build.manifest import FileEntry, Manifest, ShardEntry
from mgld.build.plan import Context, PlannedShard, plan_step
from mgld.build.runner import Report, local_runner
from mgld.build.shards import Counts, write_parquet
from mgld.build.source import SourceIndex
from mgld.build.stages import STEPS
from mgld.build.stages.name_vectors import NAMES_PER_SHARD
from mgld.build.stages.vectors import column_vectors, vector_column
from mgld.files import atomic_path, sha256_file
from mgld.keyed import generator

Float32 = NDArray[np.float32]

GROUP_ROWS = 256  # what stage embeddings writes in one go
NEARNESS = 0.35  # of an image to its own name


def planned(root: Path, step: str) -> tuple[list[PlannedShard], Context]:
    """The shards of a step as the driver would plan them now."""
    view = BuildView(root)
    assert view.manifest.facts is not None
    source = SourceIndex(root, view.source_root())
    source.recall()
    context = Context(root, view.config, view.manifest.facts, view.manifest, source)
    return plan_step(STEPS[step], context), context


def enter(root: Path, step: str, shards: dict[str, tuple[str, int, Counts]]) -> None:
    """Enter finished shards into the manifest: id -> file in the build, rows, counts."""
    plan, context = planned(root, step)
    manifest: Manifest = context.manifest
    environment = next(iter(manifest.environments))
    for shard in plan:
        if shard.spec.id not in shards:
            continue
        path, rows, counts = shards[shard.spec.id]
        entry = FileEntry(sha256=sha256_file(root / path), bytes=(root / path).stat().st_size)
        manifest.stage(STEPS[step].stage).shards[shard.spec.id] = ShardEntry(
            inputs=shard.inputs,
            settings=shard.settings,
            environment=environment,
            files={path: entry},
            rows=rows,
            counts=counts,
        )
    manifest.save(root)


def write_names(root: Path) -> None:
    """Write embeddings/names-NNNNN.parquet, and enter them."""
    names = BuildView(root).table("catalog", "names", ["name"])["name"]
    dim = _dim(root)
    (root / "embeddings").mkdir(exist_ok=True)
    done = {}
    for number, start in enumerate(range(0, len(names), NAMES_PER_SHARD)):
        part = names.slice(start, NAMES_PER_SHARD)
        table = {"name": part, "vector": vector_column(name_vectors(number, len(part), dim))}
        table["flag"] = pa.array([""] * len(part))
        path = f"embeddings/names-{number:05d}.parquet"
        write_parquet(pa.table(table), root / path)
        done[f"names-{number:05d}"] = (path, len(part), {"name": {"plain": len(part)}})
    enter(root, "embeddings/names", done)


@dataclass(frozen=True)
class _TarTask:
    """One tar whose vectors are to be written: its number, and the positions of its images."""

    root: Path
    number: int
    start: int
    stop: int
    images: int
    landmarks: int

    @property
    def label(self) -> str:
        return self.path

    @property
    def id(self) -> str:
        """Of the shard."""
        return f"images-images_{self.number:03d}.tar"

    @property
    def path(self) -> str:
        """In the build."""
        return f"embeddings/{self.id}.parquet"


def write_images(root: Path, images: int, landmarks: int, workers: int) -> None:
    """Write embeddings/images-TAR.parquet for every tar that has none yet, and enter all."""
    bounds = enumerate(tar_bounds(images))
    tasks = [_TarTask(root, number, *each, images, landmarks) for number, each in bounds]
    todo = [task for task in tasks if not (root / task.path).is_file()]
    with local_runner(workers) as runner:
        for _ in runner.run(_write_tar, todo, lambda _task, _rows: None):
            pass
    done: dict[str, tuple[str, int, Counts]] = {}
    for task in tasks:
        rows = task.stop - task.start
        counts = {"row": {"ok": rows}, "row_of": {"listed": rows, "nothing_listed": 0}}
        done[task.id] = (task.path, rows, counts)
    enter(root, "embeddings/images", done)


def _write_tar(task: _TarTask, report: Report) -> None:
    names, name_rows, of = _shared(task.root, task.images, task.landmarks)
    schema = image_schema(names.shape[1])
    own = of[task.start : task.stop]
    with (
        atomic_path(task.root / task.path) as path,
        pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            use_dictionary=["landmark_id", "status", "reason", "source"],
        ) as writer,
    ):
        for table in _tables(task.number, task.start, own, names, name_rows, schema):
            writer.write_table(table)


@lru_cache(maxsize=1)
def _shared(
    root: Path, images: int, landmarks: int
) -> tuple[Float32, NDArray[np.int64], NDArray[np.int64]]:
    """Vectors of all names, the name's row of each landmark, the landmark of each image."""
    view = BuildView(root)
    rows = view.table("catalog", "name_rows").sort_by("landmark_id")["name_row"].to_numpy()
    names = column_vectors(view.table("embeddings", "names", ["vector"])["vector"])
    return names, rows, owners(images, landmarks)


def name_vectors(shard: int, count: int, dim: int) -> Float32:
    """Unit vectors of one shard of names, float32 [count, dim]."""
    noise = generator(0, "rehearsal/names", shard).standard_normal((count, dim), np.float32)
    return _unit(noise * _spectrum(dim) + _cone("names", dim))


def _tables(
    tar: int,
    start: int,
    of: NDArray[np.int64],
    names: Float32,
    name_rows: NDArray[np.int64],
    schema: pa.Schema,
) -> Iterator[pa.Table]:
    dim = names.shape[1]
    rng = generator(0, "rehearsal/images", tar)
    source = f"train/images_{tar:03d}.tar"
    for first in range(0, len(of), GROUP_ROWS):
        own = of[first : first + GROUP_ROWS]
        noise = rng.standard_normal((len(own), dim), np.float32) * _spectrum(dim)
        vectors = _unit(noise + _cone("images", dim) + NEARNESS * names[name_rows[own]])
        ids = image_ids(start + first, start + first + len(own))
        size = len(stand_in(ids[0]))
        columns = [
            pa.array(ids),
            pa.array(own),
            pa.repeat("ok", len(own)),
            pa.repeat("", len(own)),
            pa.repeat(source, len(own)),
            pa.array((first + np.arange(len(own))) * size),
            pa.array(np.full(len(own), size)),
            pa.array([hashlib.sha256(stand_in(each)).hexdigest() for each in ids]),
            pa.array(np.full(len(own), 800, np.int32)),
            pa.array(np.full(len(own), 600, np.int32)),
            vector_column(vectors),
        ]
        yield pa.Table.from_arrays(columns, schema=schema)


def image_schema(dim: int) -> pa.Schema:
    """The columns of embeddings/images-TAR.parquet."""
    text = ("image_id", "status", "reason", "source", "sha256")
    kinds = {"landmark_id": pa.int64(), "offset": pa.int64(), "size": pa.int64()}
    kinds |= {"width": pa.int32(), "height": pa.int32(), "vector": pa.list_(pa.float32(), dim)}
    order = ("image_id", "landmark_id", "status", "reason", "source", "offset", "size", "sha256")
    names = (*order, "width", "height", "vector")
    return pa.schema([(name, pa.string() if name in text else kinds[name]) for name in names])


def _dim(root: Path) -> int:
    facts = BuildView(root).manifest.facts
    assert facts is not None
    return facts.embed_dim


def _cone(which: str, dim: int) -> Float32:
    """The mean direction of images or names; the two are 80 degrees apart."""
    shared, own = (
        _unit(generator(0, "rehearsal/cone", key).standard_normal((1, dim), np.float32))
        for key in ("shared", which)
    )
    return _unit(0.45 * shared + 0.9 * own)


def _spectrum(dim: int) -> Float32:
    scale = (1.0 + np.arange(dim)) ** -0.3
    return np.asarray(scale / np.linalg.norm(scale), np.float32)


def _unit(x: Float32) -> Float32:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / length, np.float32)
