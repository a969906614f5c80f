"""Tokenized samples in memory-mapped Arrow files: what training reads.

A row of the store is a row of its source, under the same number, whether it gave a sample or not:
counts add up, and a row that was skipped says why. Made by `eeca_ref.data.store_write`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from eeca_ref.data.tokens import Tokens

STORE_FILE = "store.json"
OK = "ok"

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("image", pa.string()),
        ("ids", pa.list_(pa.int32())),
        ("roles", pa.list_(pa.uint8())),
        ("entity_ids", pa.list_(pa.list_(pa.int32()))),
        ("label", pa.string()),
        # Of the sample as it is trained on: after truncation, with the visual tokens spliced in.
        ("length", pa.int32()),
        ("supervised", pa.int32()),
        ("truncated", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class StoredSample:
    """One sample. `row`: its number in store and source; `image`: for the source's `read_image`.

    `entity_ids`: tokens of each entity, some lists may be empty; `label`: hierarchical label.
    """

    row: int
    id: str
    tokens: Tokens
    image: str | None
    entity_ids: list[list[int]]
    label: str | None


class TokenStore:
    """A finished store in `folder`. It pickles as its path; each process maps the files itself.

    FileNotFoundError: no finished store there.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            about = json.loads((self.folder / STORE_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise FileNotFoundError(f"{self.folder} holds no finished token store") from None
        self.binding: str = about["binding"]
        """Hash of the source, tokenizer and settings it was made of."""
        self.visual_tokens: int = about["settings"]["visual_tokens"]
        self._shards: int = about["shards"]

    def __reduce__(self) -> tuple[type[TokenStore], tuple[Path]]:
        return type(self), (self.folder,)

    @cached_property
    def _batches(self) -> list[Any]:
        batches = []
        for number in range(self._shards):
            mapped = pa.memory_map(str(shard_path(self.folder, number)))
            reader = pa.ipc.open_file(mapped)
            batches += [reader.get_batch(at) for at in range(reader.num_record_batches)]
        return batches

    @cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        """int64 [batches + 1]: the first row of each record batch, and the number of rows."""
        return np.cumsum([0] + [batch.num_rows for batch in self._batches], dtype=np.int64)

    def __len__(self) -> int:
        """Number of rows, the skipped ones included."""
        return int(self._starts[-1])

    def __getitem__(self, row: int) -> StoredSample:
        """The sample in row `row`. IndexError: no such row. ValueError: it was skipped."""
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        batch, at = self._batches[number], row - int(self._starts[number])

        def value(column: str) -> Any:
            return batch.column(column)[at]

        status = value("status").as_py()
        if status != OK:
            raise ValueError(f"row {row} is no sample: {status}: {value('reason').as_py()}")
        # Copies: a few kilobytes, and the map is read-only.
        tokens = Tokens(
            value("ids").values.to_numpy().astype(np.int32),
            value("roles").values.to_numpy().astype(np.uint8),
        )
        return StoredSample(
            row,
            value("id").as_py(),
            tokens,
            value("image").as_py(),
            value("entity_ids").as_py(),
            value("label").as_py(),
        )

    @cached_property
    def usable(self) -> npt.NDArray[np.int64]:
        """int64: the rows that are samples, ascending."""
        return np.flatnonzero(pc.equal(self._column("status"), OK).to_numpy(zero_copy_only=False))

    @cached_property
    def lengths(self) -> npt.NDArray[np.int32]:
        """int32 [rows]: tokens with the visual ones spliced in; 0 for a skipped row."""
        return self._numbers("length")

    @cached_property
    def supervised(self) -> npt.NDArray[np.int32]:
        """int32 [rows]: number of supervised tokens."""
        return self._numbers("supervised")

    @cached_property
    def truncated(self) -> npt.NDArray[np.bool_]:
        """bool [rows]: samples that lost their end."""
        cut: npt.NDArray[np.bool_] = self._column("truncated").to_numpy()
        return cut

    @cached_property
    def has_image(self) -> npt.NDArray[np.bool_]:
        """bool [rows]."""
        valid: npt.NDArray[np.bool_] = self._column("image").is_valid().to_numpy()
        return valid

    @property
    def labels(self) -> list[str]:
        """The hierarchical labels of the samples, each once, sorted."""
        samples = pc.equal(self._column("status"), OK)
        unique = pc.unique(self._column("label").filter(samples)).to_pylist()
        return sorted(label for label in unique if label is not None)

    def images(self) -> Iterator[list[str | None]]:
        """The images of all rows, in order, in lists of some rows each."""
        for batch in self._batches:
            yield batch.column("image").to_pylist()

    def counts(self) -> dict[str, int]:
        """What is in the store, for manifests: `rows` = `samples` + every `skipped: STATUS`.

        Of the samples: `text_only`, `truncated`, `without_entities`, `with_one_entity` (of those
        with an image), `without_label` (likewise), `tokens` and `supervised_tokens`.
        """
        statuses = Counter(self._column("status").to_pylist())
        samples = pc.equal(self._column("status"), OK)
        with_image = pc.and_(samples, self._column("image").is_valid())
        entities = pc.list_value_length(self._column("entity_ids")).filter(with_image)
        return {
            "rows": len(self),
            "samples": statuses.pop(OK, 0),
            **{f"skipped: {status}": number for status, number in sorted(statuses.items())},
            "text_only": len(self.usable) - _number_true(with_image),
            "truncated": _number_true(pc.and_(samples, self._column("truncated"))),
            "without_entities": _number_true(pc.equal(entities, 0)),
            "with_one_entity": _number_true(pc.equal(entities, 1)),
            "without_label": _number_true(self._column("label").filter(with_image).is_null()),
            "tokens": int(self.lengths.sum(dtype=np.int64)),
            "supervised_tokens": int(self.supervised.sum(dtype=np.int64)),
        }

    def skipped(self, limit: int = 20) -> list[tuple[int, str, str, str]]:
        """(row, id, status, reason) of the first `limit` rows that were skipped."""
        rows = np.setdiff1d(np.arange(len(self)), self.usable)[:limit]
        columns = [self._column(name) for name in ("id", "status", "reason")]
        return [(int(row), *(column[int(row)].as_py() for column in columns)) for row in rows]

    def _column(self, name: str) -> Any:
        return pa.chunked_array(
            [batch.column(name) for batch in self._batches], SCHEMA.field(name).type
        )

    def _numbers(self, name: str) -> npt.NDArray[np.int32]:
        numbers: npt.NDArray[np.int32] = self._column(name).to_numpy()
        return numbers


def shard_path(folder: Path, number: int) -> Path:
    """Where shard `number` of a store lies."""
    return folder / f"shard-{number:05d}.arrow"


def _number_true(flags: Any) -> int:
    return int(pc.sum(flags).as_py() or 0)
