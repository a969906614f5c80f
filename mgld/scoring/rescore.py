"""Sim and RSR of any dataset with any encoder, without a rebuild: what `mgld score` runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mgld.scoring.embedding_file import read_embeddings
from mgld.scoring.scores import Scores
from mgld.scoring.sim_rsr import sim_rsr

if TYPE_CHECKING:
    import pyarrow as pa

    from mgld.vision import Encoder
    from mgld.vision.prepare import Pixels

Progress = Callable[[str, int, int], None]
"""Called with (what is done, how many are done, of how many)."""

IMAGES_PER_BATCH = 64
_NEAREST = 10
_RECORD_COLUMNS = ["id", "landmark_id", "landmark_name"]


@dataclass(frozen=True)
class Rescored:
    """Scores of a dataset's records.

    table: one row per record, in the dataset's order: split, id, landmark_id, landmark_name, status
    ("ok", or why the image cannot be read), reason, sim, rank, rsr, margin, nearest (list of names,
    best first), nearest_sim (null where status is not "ok").
    summary: records, scored, names (N), median_rsr, share_rank_1 (None if none is scored), encoder,
    fingerprint, template (None of embeddings: theirs is not known).
    """

    table: pa.Table
    summary: dict[str, Any]


@dataclass
class _Records:
    """The records of a config, split by split, and the vectors of those that could be read."""

    split: list[str] = field(default_factory=list)
    id: list[str] = field(default_factory=list)
    landmark_id: list[int] = field(default_factory=list)
    landmark_name: list[str] = field(default_factory=list)
    status: list[str] = field(default_factory=list)
    reason: list[str] = field(default_factory=list)


def rescore(
    source: str | Path,
    *,
    encoder: str | None = None,
    embeddings: str | Path | None = None,
    template: str = "{name}",
    config: str = "full",
    split: str | None = None,
    backend: str = "auto",
    device: str | None = None,
    progress: Progress | None = None,
) -> Rescored:
    """Score the records of `config` against all N names of the dataset's `names` config.

    source: a dataset or build folder or a Hub id, as `mgld.load` takes it. Exactly one of `encoder`
    (a spec of `mgld.vision.load_encoder`) and `embeddings` (a file; format: `embedding_file.py`)
    gives the vectors. template: the text that the encoder is given for a name, `{name}` in it.
    split: only that one; None: all, except that of `eval`, whose `test` contains `test_paper`, it
    is `test`. backend: of `sim_rsr`. device: of the encoder.

    An image that cannot be read is a row with a status. ValueError for wrong arguments, vectors
    that are missing or not unit, and records whose name is not a candidate.
    """
    import mgld

    if (encoder is None) == (embeddings is None):
        raise ValueError("give either an encoder or a file of embeddings")
    if template.count("{name}") != 1:
        raise ValueError(f"template {template!r} must contain {{name}} exactly once")
    columns = [*_RECORD_COLUMNS, "image"] if embeddings is None else _RECORD_COLUMNS
    splits = _splits(mgld.load(str(source), config, columns=columns), config, split)
    names = _candidates(mgld.load(str(source), "names"))
    records = _records(splits)
    own = _own_rows(records.landmark_name, names)
    report = progress or _silent
    if embeddings is not None:
        given = read_embeddings(Path(embeddings))
        image_vectors, name_vectors = given.images_of(records.id), given.names_of(names)
        made_by = {"encoder": str(embeddings), "fingerprint": None, "template": None}
    else:
        loaded = _load_encoder(str(encoder), device)
        image_vectors = _encode_images(loaded, _image_bytes(splits), records, report)
        report("names", 0, len(names))
        name_vectors = loaded.encode_names(names, template=template)
        report("names", len(names), len(names))
        made_by = {"encoder": loaded.spec, "fingerprint": loaded.fingerprint, "template": template}
    ok = np.array([status == "ok" for status in records.status], dtype=np.bool_)
    scores = sim_rsr(
        image_vectors,
        name_vectors,
        own[ok],
        k=_NEAREST,
        backend=backend,
        progress=lambda done, total: report("scores", done, total),
    )
    return Rescored(_table(records, ok, scores, names), _summary(ok, scores, names) | made_by)


def _silent(what: str, done: int, total: int) -> None:
    """No progress."""


def _splits(loaded: Any, config: str, split: str | None) -> dict[str, Any]:
    """The wanted splits of a config: name -> `datasets.Dataset`."""
    if split is None and config == "eval":
        split = "test"  # holds the records of `test_paper`, too: each counts once
    if split is None:
        return dict(loaded)
    if split not in loaded:
        raise ValueError(f"config {config!r} has no split {split!r}: it has {', '.join(loaded)}")
    return {split: loaded[split]}


def _candidates(loaded: Any) -> list[str]:
    """The candidate names of a `names` config, in its order."""
    names = [name for part in loaded.values() for name in part["name"]]
    if len(set(names)) != len(names):
        raise ValueError("the dataset's `names` config lists a name twice")
    return names


def _records(splits: dict[str, Any]) -> _Records:
    """The records of the splits, all "ok" so far."""
    records = _Records()
    for split, part in splits.items():
        columns = part.select_columns(_RECORD_COLUMNS)[:]
        records.split += [split] * len(part)
        records.id += columns["id"]
        records.landmark_id += columns["landmark_id"]
        records.landmark_name += columns["landmark_name"]
    records.status = ["ok"] * len(records.id)
    records.reason = [""] * len(records.id)
    return records


def _image_bytes(splits: dict[str, Any]) -> Iterator[bytes | None]:
    """Encoded images in the order of the records; None where a record has none."""
    from datasets import Image

    for part in splits.values():
        encoded = part.select_columns(["image"]).cast_column("image", Image(decode=False))
        for row in encoded:
            cell = row["image"] or {}
            path = cell.get("path")
            if cell.get("bytes") is None and path and Path(path).is_file():
                yield Path(path).read_bytes()
            else:
                yield cell.get("bytes")


def _own_rows(own_names: list[str], names: list[str]) -> NDArray[np.int64]:
    """Row of each record's name among the candidates."""
    row_of = {name: row for row, name in enumerate(names)}
    missing = [name for name in own_names if name not in row_of]
    if missing:
        raise ValueError(
            f"{len(missing)} records have a name that is not in the `names` config: "
            f"{_first(missing)}"
        )
    return np.array([row_of[name] for name in own_names], dtype=np.int64)


def _load_encoder(spec: str, device: str | None) -> Encoder:
    from mgld.vision import load_encoder

    return load_encoder(spec, device=device)


def _encode_images(
    encoder: Encoder, images: Iterator[bytes | None], records: _Records, report: Progress
) -> NDArray[np.float32]:
    """Vectors float32 [readable, d]; what cannot be read gets a status and a reason."""
    from mgld.gldv2 import ImageError, decode_image
    from mgld.vision.pipeline import in_order

    total = len(records.id)

    def read(data: bytes | None) -> Pixels | ImageError:
        try:
            return encoder.prepare(decode_image(data or b"", short_side=encoder.short_side).image)
        except ImageError as error:
            return error

    def readable() -> Iterator[Pixels]:
        # Decoded when the encoder asks for it: never more than one whole image a thread in memory.
        ahead = 2 * IMAGES_PER_BATCH
        for row, got in enumerate(in_order(read, images, threads=encoder.threads, ahead=ahead)):
            if isinstance(got, ImageError):
                records.status[row], records.reason[row] = got.status, got.reason
            else:
                yield got
            if (row + 1) % IMAGES_PER_BATCH == 0 or row + 1 == total:
                report("images", row + 1, total)

    vectors = encoder.encode_prepared(readable(), batch_size=IMAGES_PER_BATCH)
    return np.concatenate([np.empty((0, encoder.embed_dim), np.float32), *vectors])


def _table(records: _Records, ok: NDArray[np.bool_], scores: Scores, names: list[str]) -> pa.Table:
    """The rows of `Rescored.table`."""
    import pyarrow as pa

    places = np.full(len(ok), -1)
    places[ok] = np.arange(len(scores))
    take = pa.array([int(place) if place >= 0 else None for place in places], pa.int64())
    nearest = [[names[row] for row in rows if row >= 0] for rows in scores.nearest]
    nearest_sim = [[float(sim) for sim in sims if not np.isnan(sim)] for sims in scores.nearest_sim]
    scored = {
        "sim": pa.array(scores.sim),
        "rank": pa.array(scores.rank),
        "rsr": pa.array(scores.rsr),
        "margin": pa.array(scores.margin),
        "nearest": pa.array(nearest, pa.list_(pa.string())),
        "nearest_sim": pa.array(nearest_sim, pa.list_(pa.float64())),
    }
    return pa.table(
        {
            "split": pa.array(records.split, pa.string()),
            "id": pa.array(records.id, pa.string()),
            "landmark_id": pa.array(records.landmark_id, pa.int64()),
            "landmark_name": pa.array(records.landmark_name, pa.string()),
            "status": pa.array(records.status, pa.string()),
            "reason": pa.array(records.reason, pa.string()),
            **{name: column.take(take) for name, column in scored.items()},
        }
    )


def _summary(ok: NDArray[np.bool_], scores: Scores, names: list[str]) -> dict[str, Any]:
    """The figures of `Rescored.summary` that do not depend on who made the vectors."""
    any_scored = len(scores) > 0
    return {
        "records": len(ok),
        "scored": len(scores),
        "names": len(names),
        "median_rsr": float(np.median(scores.rsr)) if any_scored else None,
        "share_rank_1": float(np.mean(scores.rank == 1)) if any_scored else None,
    }


def _first(items: list[str]) -> str:
    """The first three of a list, for a message."""
    return ", ".join(repr(item) for item in items[:3]) + (", ..." if len(items) > 3 else "")
