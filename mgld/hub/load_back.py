"""Loading a published dataset back with `datasets`, as its readers will."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from mgld.hub.card import read_metadata
from mgld.hub.export import CARD
from mgld.hub.publish import Publication

if TYPE_CHECKING:
    from pathlib import Path


def load_back(repo: str, revision: str, publication: Publication) -> None:
    """Load the first row of every split of every config at a commit, and compare it with ours.

    That every file has our bytes is known by hash already; this shows that the card, the Hub and
    `datasets` make of them what they should. ValueError where they do not.
    """
    local = {file.path: file.local for file in publication.files}
    metadata = read_metadata(local[CARD].read_text(encoding="utf-8"))
    infos = {info["config_name"]: info for info in metadata["dataset_info"]}
    for config in metadata["configs"]:
        name = config["config_name"]
        rows = {split["name"]: split["num_examples"] for split in infos[name]["splits"]}
        for of_split in config["data_files"]:
            where = f"config {name}, split {of_split['split']}"
            _compare(
                where,
                _first_row(repo, name, of_split["split"], revision, rows[of_split["split"]], where),
                _first_local(local[of_split["path"][0]]),
            )


def _first_row(
    repo: str, config: str, split: str, revision: str, rows: int, where: str
) -> dict[str, Any]:
    from datasets import Image, load_dataset

    stream = load_dataset(repo, config, split=split, revision=revision, streaming=True)
    stated = stream.info.splits[split].num_examples
    if stated != rows:
        raise ValueError(f"loading back {where}: {stated} rows where the card states {rows}")
    if "image" in stream.features:
        stream = stream.cast_column("image", Image(decode=False))
    return dict(next(iter(stream)))


def _first_local(path: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    with path.open("rb") as handle:
        batch = next(pq.ParquetFile(handle).iter_batches(batch_size=1))
    return dict(batch.to_pylist()[0])


def _compare(where: str, loaded: dict[str, Any], ours: dict[str, Any]) -> None:
    different = [key for key in ours if loaded.get(key) != ours[key]]
    if different or loaded.keys() != ours.keys():
        raise ValueError(
            f"loading back {where}: columns {', '.join(different) or 'other than ours'} differ"
        )
    image = loaded.get("image")
    if image and hashlib.sha256(image["bytes"]).hexdigest() != loaded["image_sha256"]:
        raise ValueError(f"loading back {where}: the image is not the one of its hash")
