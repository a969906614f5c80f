"""The records of a dataset that are to be scored, and their images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RECORD_COLUMNS = ["id", "landmark_id", "landmark_name"]


@dataclass
class Records:
    """The records of a config, split by split."""

    split: list[str] = field(default_factory=list)
    id: list[str] = field(default_factory=list)
    landmark_id: list[int] = field(default_factory=list)
    landmark_name: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.id)

    def digest(self) -> str:
        """A hash of all there is here."""
        rows = zip(self.split, self.id, self.landmark_id, self.landmark_name, strict=True)
        return digest_of(rows)


def digest_of(items: Iterable[Any]) -> str:
    """Hex SHA-256 of JSON-able items in their order."""
    result = hashlib.sha256()
    for item in items:
        result.update(json.dumps(item, ensure_ascii=False).encode() + b"\n")
    return result.hexdigest()


def wanted_splits(loaded: Any, config: str, split: str | None) -> dict[str, Any]:
    """The wanted splits of a config: name -> `datasets.Dataset`; None: all, each record once."""
    if split is None and config == "eval":
        split = "test"  # holds the records of `test_paper`, too: each counts once
    if split is None:
        return dict(loaded)
    if split not in loaded:
        raise ValueError(f"config {config!r} has no split {split!r}: it has {', '.join(loaded)}")
    return {split: loaded[split]}


def read_records(splits: dict[str, Any]) -> Records:
    """The records of the splits in their order."""
    records = Records()
    for split, part in splits.items():
        columns = part.select_columns(RECORD_COLUMNS)[:]
        records.split += [split] * len(part)
        records.id += columns["id"]
        records.landmark_id += columns["landmark_id"]
        records.landmark_name += columns["landmark_name"]
    return records


def image_bytes(splits: dict[str, Any], start: int, stop: int) -> Iterator[bytes | None]:
    """Encoded images of the records [start, stop); None where a record has none."""
    from datasets import Image

    for part in splits.values():
        rows = range(max(0, start), min(len(part), stop))
        if rows:
            encoded = part.select(rows).select_columns(["image"])
            for row in encoded.cast_column("image", Image(decode=False)):
                cell = row["image"] or {}
                path = cell.get("path")
                if cell.get("bytes") is None and path and Path(path).is_file():
                    yield Path(path).read_bytes()
                else:
                    yield cell.get("bytes")
        start, stop = start - len(part), stop - len(part)


def candidate_names(loaded: Any) -> list[str]:
    """The candidate names of a `names` config, in its order."""
    names = [name for part in loaded.values() for name in part["name"]]
    if len(set(names)) != len(names):
        raise ValueError("the dataset's `names` config lists a name twice")
    return names


def own_rows(own_names: list[str], names: list[str]) -> NDArray[np.int64]:
    """Row of each record's name among the candidates."""
    row_of = {name: row for row, name in enumerate(names)}
    missing = [name for name in own_names if name not in row_of]
    if missing:
        some = ", ".join(repr(name) for name in missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise ValueError(
            f"{len(missing)} records have a name that is not in the `names` config: {some}"
        )
    return np.array([row_of[name] for name in own_names], dtype=np.int64)
