"""Stage selection (paper, section 3.1, stage 1): one image per landmark."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mgld.build.plan import Context, ShardSpec, Step
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
    index = image_index(task.root, task.version("catalog/links."), task.version(*EMBEDDINGS))
    rows = []
    chosen = []
    image_statuses: Counter[str] = Counter()
    copies = 0
    for landmark_id in ids.tolist():
        span = index.of_landmark(landmark_id)
        row, picked = _choose(index, span, landmark_id, task.config.seed)
        rows.append(row)
        chosen.append(picked)
        image_statuses.update(index.status_names[code] for code in index.statuses[span].tolist())
        copies += int(np.maximum(index.copies[span] - 1, 0).sum())
    write_parquet(_table(rows, np.array(chosen), index), task.work / f"{task.shard}.parquet")
    counts = {
        "landmark": count(str(row["status"]) for row in rows),
        "image": dict(sorted(image_statuses.items())),
        "row": {"further_copy": copies},
    }
    return Made(len(rows), counts)


def _choose(
    index: ImageIndex, span: slice, landmark_id: int, seed: int
) -> tuple[dict[str, object], int]:
    """The row of one landmark, and the index row of its image (-1 for none)."""
    sims, names = index.sims[span], index.ids[span]
    best = top_candidates(sims, names)
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
        return row, -1
    drawn = draw(sims[best], seed=seed, landmark_id=landmark_id)
    row["image_id"] = names[best[drawn]].decode()
    row["chosen"] = drawn
    return row, span.start + int(best[drawn])


def _table(rows: list[dict[str, object]], chosen: NDArray[np.int64], index: ImageIndex) -> pa.Table:
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
    has = chosen >= 0
    fetched = fetch_rows(index, chosen[has], PLACE)
    # Taking a null position gives a null row: the landmarks without an image.
    spread = fetched.take(pa.array(np.cumsum(has) - 1, mask=~has))
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
