"""Stage selection (paper, section 3.1, stage 1): one image per landmark."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mgld.build.plan import Context, ShardSpec, Step
from mgld.build.read import read_table
from mgld.build.runner import Report
from mgld.build.shards import Made, ShardTask, count, write_parquet
from mgld.build.stages.catalog import chunk_ids
from mgld.build.stages.image_index import ImageIndex, fetch_rows, image_index
from mgld.keyed import generator

CANDIDATES = 3
EMBEDDINGS = ("embeddings/images-", "embeddings/sims-")
PLACE = ["source", "offset", "size", "sha256", "vector"]

CANDIDATE_TYPE = pa.list_(pa.struct([("image_id", pa.string()), ("sim", pa.float64())]))


def shards(context: Context) -> list[ShardSpec]:
    """One per chunk of landmarks; each may need any archive."""
    reads = ("catalog/landmarks.", "catalog/links.", *EMBEDDINGS)
    return [
        ShardSpec(id, reads=reads, argument=number * context.config.chunk)
        for number, id in enumerate(chunk_ids(context))
    ]


def top_candidates(
    sims: NDArray[np.float64], ids: NDArray[np.bytes_], k: int = CANDIDATES
) -> NDArray[np.int64]:
    """Positions of the k best images, best first; ties by image id, and nan is no candidate."""
    usable = np.flatnonzero(~np.isnan(sims))
    order = np.lexsort((ids[usable], -sims[usable]))
    return usable[order[:k]]


def draw(sims: NDArray[np.float64], *, seed: int, landmark_id: int) -> int:
    """Draw one candidate with weight proportional to its similarity clipped at 0.

    docs/definitions.md, "Readings of the paper", says why. `sims`: best first. All weights zero:
    the best. Keyed by landmark, so that a draw depends on no other landmark.
    """
    weights = np.maximum(sims, 0.0)
    total = weights.sum()
    if total == 0:
        return 0
    point = generator(seed, "selection", landmark_id).random() * total
    # The last candidate with a weight, should rounding put the point at the very end.
    last = int(np.flatnonzero(weights)[-1])
    return min(int(np.searchsorted(np.cumsum(weights), point, side="right")), last)


def make(task: ShardTask, report: Report) -> Made:
    """Choose for each landmark of the chunk; a landmark without a usable image says why."""
    landmarks = task.table("catalog", "landmarks", ["landmark_id"])["landmark_id"]
    ids = landmarks.to_numpy()[task.argument : task.argument + task.config.chunk]
    index, picks = _chosen(
        task.root,
        task.version("catalog/landmarks."),
        task.version("catalog/links."),
        task.version(*EMBEDDINGS),
        task.config.seed,
    )
    rows = []
    image_statuses: Counter[str] = Counter()
    copies = 0
    for number, landmark_id in enumerate(ids.tolist(), task.argument):
        span = index.of_landmark(landmark_id)
        rows.append(_row(index, span, landmark_id, picks.best[number], int(picks.drawn[number])))
        image_statuses.update(index.status_names[code] for code in index.statuses[span].tolist())
        copies += int(np.maximum(index.copies[span] - 1, 0).sum())
    part = slice(task.argument, task.argument + len(ids))
    write_parquet(_table(rows, picks, part), task.work / f"{task.shard}.parquet")
    counts = {
        "landmark": count(str(row["status"]) for row in rows),
        "image": dict(sorted(image_statuses.items())),
        "row": {"further_copy": copies},
    }
    return Made(len(rows), counts)


@dataclass(frozen=True)
class Picks:
    """The choice for every landmark of the catalog, in its order.

    best: positions of the candidates among the landmark's images, best first. drawn: the chosen of
    them, -1 for none. places: PLACE of the chosen images, one row for each landmark that has one.
    """

    best: list[NDArray[np.int64]]
    drawn: NDArray[np.int64]
    places: pa.Table


@lru_cache(maxsize=1)
def _chosen(
    root: Path, landmarks: str, links: str, embeddings: str, seed: int
) -> tuple[ImageIndex, Picks]:
    """The index and the picks; a worker keeps them from shard to shard.

    For all landmarks at once, as each archive holds images of landmarks of every chunk: chunk by
    chunk, all vectors would be read again and again. The versions are hashes of what is read.
    """
    index = image_index(root, links, embeddings)
    ids = read_table(root, "catalog", "landmarks", ["landmark_id"])["landmark_id"].to_numpy()
    best = []
    drawn = np.full(len(ids), -1)
    picked = np.full(len(ids), -1)
    for number, landmark_id in enumerate(ids.tolist()):
        span = index.of_landmark(landmark_id)
        top = top_candidates(index.sims[span], index.ids[span])
        best.append(top)
        if len(top):
            drawn[number] = draw(index.sims[span][top], seed=seed, landmark_id=landmark_id)
            picked[number] = span.start + int(top[drawn[number]])
    return index, Picks(best, drawn, fetch_rows(index, picked[picked >= 0], PLACE))


def _row(
    index: ImageIndex, span: slice, landmark_id: int, best: NDArray[np.int64], drawn: int
) -> dict[str, object]:
    """The row of one landmark, but for the place of its image."""
    sims, names = index.sims[span], index.ids[span]
    row: dict[str, object] = {
        "landmark_id": landmark_id,
        "status": "ok",
        "reason": "",
        "image_id": None,
        "candidates": [{"image_id": names[i].decode(), "sim": sims[i]} for i in best],
        "chosen": None,
        "images": len(sims),
        "readable": int((index.statuses[span] == 0).sum()),
    }
    if len(best) == 0:
        found = count(index.status_names[code] for code in index.statuses[span].tolist())
        row["status"] = "no_readable_image" if found else "no_image"
        why = ", ".join(f"{number} {status}" for status, number in found.items())
        row["reason"] = f"of its {len(sims)} images: {why}" if found else "the catalog lists none"
        return row
    row["image_id"] = names[best[drawn]].decode()
    row["chosen"] = drawn
    return row


def _table(rows: list[dict[str, object]], picks: Picks, part: slice) -> pa.Table:
    """The rows of one part of the landmarks, with the places of their images."""
    schema = pa.schema(
        [
            ("landmark_id", pa.int64()),
            ("status", pa.string()),
            ("reason", pa.string()),
            ("image_id", pa.string()),
            ("candidates", CANDIDATE_TYPE),
            ("chosen", pa.int32()),
            ("images", pa.int64()),
            ("readable", pa.int64()),
        ]
    )
    table = pa.Table.from_pylist(rows, schema)
    has = picks.drawn[part] >= 0
    before = int((picks.drawn[: part.start] >= 0).sum())
    # Taking a null position gives a null row: the landmarks without an image.
    spread = picks.places.take(pa.array(before + np.cumsum(has) - 1, mask=~has))
    for name in PLACE:
        table = table.append_column(name, spread[name])
    return table


STEP = Step(
    stage="selection",
    name="part",
    version=1,
    after=("catalog/tables", "embeddings/sims"),
    settings=lambda config, facts: {
        "seed": config.seed,
        "chunk": config.chunk,
        "candidates": CANDIDATES,
    },
    shards=shards,
    make=make,
)
