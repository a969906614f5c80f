"""Stage splits: test and train, and the subsets of the training records (paper, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mgld.build.plan import ShardSpec, Step
from mgld.build.runner import Report
from mgld.build.shards import Made, ShardTask, write_parquet
from mgld.scoring import Splits, assign_splits, default_sizes, default_test_size, select

SCORES = ["landmark_id", "status", "sim", "rank", "rsr", "margin"]


def make(task: ShardTask, report: Report) -> Made:
    """Write records.parquet and subsets.parquet.

    A record is a landmark with a score, an answer and entities. subsets.parquet holds each method's
    order down to the largest size: the subset of size k is its first k, so that all sizes are
    nested and equal.

    ValueError where there is no record, or fewer training records than the largest size asked for.
    """
    config = task.config
    scores, not_annotated = _records(task)
    landmarks = task.table("catalog", "landmarks", ["landmark_id", "name"])
    rows = pc.index_in(scores["landmark_id"], value_set=landmarks["landmark_id"].combine_chunks())
    names = landmarks["name"].take(rows).to_pylist()
    splits = _split(scores["landmark_id"].to_numpy(), names, config.test_size, config.seed)
    test = splits.split == "test"
    train_count = int((~test).sum())
    sizes = default_sizes(train_count) if config.sizes is None else tuple(config.sizes)
    if sizes and max(sizes) > train_count:
        raise ValueError(
            f"a subset of {max(sizes)} was asked for, but there are {train_count} training records "
            f"({len(scores)} records less {int(test.sum())} test records)"
        )
    records = {
        "landmark_id": splits.landmark_id,
        "split": pa.array(splits.split.tolist(), pa.string()),
        "test_order": splits.test_order,
        "test_paper": splits.test_paper,
    }
    write_parquet(pa.table(records), task.work / "records.parquet")
    subsets = _subsets(scores, test, task, max(sizes, default=0))
    write_parquet(subsets, task.work / "subsets.parquet")
    counts = {
        "record": {"train": train_count, "test": int(test.sum())},
        "landmark": {"record": len(scores), "not_annotated": not_annotated},
        "subset_of_each_method": {str(size): size for size in sizes},
    }
    return Made(len(scores), counts)


def _records(task: ShardTask) -> tuple[pa.Table, int]:
    """The scores of landmarks that passed every stage by landmark_id, and how many others have."""
    scores = task.table("scores", "part", SCORES)
    scores = scores.filter(pc.equal(scores["status"], "ok"))
    if len(scores) == 0:
        raise ValueError(
            "no landmark has a readable image; `mgld status` shows what became of them"
        )
    scored = len(scores)
    for stage in ("qa", "entities"):
        table = task.table(stage, "part", ["landmark_id", "status"])
        good = table.filter(pc.equal(table["status"], "ok"))["landmark_id"].combine_chunks()
        scores = scores.filter(pc.is_in(scores["landmark_id"], value_set=good))
        if len(scores) == 0:
            raise ValueError(f"no landmark passed stage {stage}; its table says why")
    return scores.sort_by("landmark_id"), scored - len(scores)


def _split(
    landmark_ids: NDArray[Any], names: Sequence[str], test_size: int | None, seed: int
) -> Splits:
    """The split; a default size is lowered where names that must stay together do not fit it."""
    if test_size is not None:
        return assign_splits(landmark_ids, names, test_size=test_size, seed=seed)
    size = default_test_size(len(landmark_ids))
    while True:
        try:
            return assign_splits(landmark_ids, names, test_size=size, seed=seed)
        except ValueError:
            if size == 0:
                raise
            size -= 1


def _subsets(scores: pa.Table, test: NDArray[Any], task: ShardTask, size: int) -> pa.Table:
    columns = [scores[name].to_numpy() for name in ("sim", "rank", "rsr", "margin", "landmark_id")]
    methods: list[str] = []
    ids: list[NDArray[Any]] = [np.empty(0, np.int64)]
    for method in task.config.methods:
        rows = select(*columns, method=method, size=size, seed=task.config.seed, exclude=test)
        methods += [method] * size
        ids.append(columns[-1][rows])
    positions = np.tile(np.arange(size, dtype=np.int64), len(task.config.methods))
    return pa.table(
        {
            "method": pa.array(methods, pa.string()),
            "position": positions,
            "landmark_id": np.concatenate(ids),
        }
    )


STEP = Step(
    stage="splits",
    name="tables",
    version=1,
    after=("scores/part", "entities/part"),
    settings=lambda config, facts: {
        "seed": config.seed,
        "test_size": config.test_size,
        "sizes": config.sizes,
        "methods": list(config.methods),
    },
    shards=lambda context: [
        ShardSpec("tables", reads=("catalog/landmarks.", "scores/", "qa/", "entities/")),
    ],
    make=make,
)
