"""Subsets that a rule of our own chose from a build, as a dataset that `mgld.load` reads.

Rows are copied from the build's own records, so that a training on such a subset differs from one
on `hds300` in which records there are, and in nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow.parquet as pq
import yaml

from benchmarks.nano.data import SIZES
from benchmarks.nano.knowledge import order_of, pool_of
from benchmarks.nano.place import Place, alone
from mgld.build.read import BuildView
from mgld.files import atomic_path, sha256_file, write_text_atomically

CARD: Final = "README.md"


def write_rule_subsets(place: Place, rule: str, sizes: Sequence[int] = SIZES) -> None:
    """Write `place.rules`: the configs entropy300, entropy600, ..., best records first.

    rule: of `knowledge.RULES`. The same build gives the same bytes. ValueError: there are fewer
    training records than the largest size.
    """
    view = BuildView(place.build)
    pool = pool_of(view, place.half)
    if max(sizes) > len(pool.inside):
        raise ValueError(f"a subset of {max(sizes)} from {len(pool.inside)} training records")
    chosen = order_of(pool, rule, view.config.seed)[: max(sizes)]
    records = pq.read_table(sorted((place.build / "dataset" / "full").glob("train-*.parquet")))
    row_of = {number: row for row, number in enumerate(records["landmark_id"].to_pylist())}
    ids = pool.records.landmark_id[pool.inside[chosen]].tolist()
    records = records.take([row_of[number] for number in ids])
    with alone(place.rules):
        place.rules.mkdir(exist_ok=True)
        configs = []
        for size in sizes:
            path = place.rules / f"{rule}{size}.parquet"
            with atomic_path(path) as temporary:
                pq.write_table(records.slice(0, size), temporary)
            configs.append(
                {
                    "config_name": path.stem,
                    # `datasets` keys its cache by the card, not by the files.
                    "description": f"Content sha256:{sha256_file(path)}",
                    "data_files": [{"split": "train", "path": path.name}],
                }
            )
        header = yaml.safe_dump({"configs": configs}, sort_keys=False)
        write_text_atomically(place.rules / CARD, f"---\n{header}---\n")
