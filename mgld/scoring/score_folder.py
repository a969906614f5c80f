"""A folder of scores, written block by block: what a killed `mgld score` goes on from.

    run.json            what the scores are of, and were made with
    part-00000.parquet  the rows of the first block of records, and so on
    index.parquet, index.faiss: the candidate names, to be asked by `mgld nearest` (`name_index.py`)

A part is whole or absent, and carries a hash of everything that it depends on.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from mgld.files import atomic_path, write_text_atomically

if TYPE_CHECKING:
    import pyarrow as pa

RUN_FILE = "run.json"
_LOCK_FILE = ".lock"
_RUN_BEGUN = f".{RUN_FILE}.*.tmp"  # what a kill while run.json was written leaves
_FORMAT = 1
_BINDING = b"mgld.binding"


class Block(NamedTuple):
    """Records [start, stop), the `number`-th of the blocks that a run is cut into."""

    number: int
    start: int
    stop: int


def blocks_of(records: int, size: int) -> list[Block]:
    """The blocks of `size` records each, the last one shorter; at least one, if an empty one."""
    starts = range(0, max(records, 1), size)
    return [Block(i, start, min(start + size, records)) for i, start in enumerate(starts)]


class ScoreFolder:
    """The folder `path` for the run that `binding` describes (JSON-able: what scores depend on).

    A context manager: one process at a time writes to it. ValueError where the folder holds another
    run, naming what differs, or other files, or another process is at it.

    digest: a hash of `binding`.
    """

    def __init__(self, path: Path, binding: dict[str, Any]) -> None:
        from filelock import FileLock

        self.path = path
        self._binding = {"format": _FORMAT, **binding}
        text = json.dumps(self._binding, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        self._text = text
        self.digest = hashlib.sha256(text.encode()).hexdigest()
        self._lock = FileLock(path / _LOCK_FILE)

    def __enter__(self) -> Self:
        from filelock import Timeout

        run = self.path / RUN_FILE
        if self.path.exists() and not self.path.is_dir():
            raise self._foreign()
        self.path.mkdir(parents=True, exist_ok=True)
        # Before any look inside: what another process is about to write there is no foreign file.
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(f"another process is writing scores to {self.path}") from None
        try:
            if run.is_file():
                self._require_same(run)
            else:
                self._require_empty()
                write_text_atomically(run, self._text)
            for left in self.path.glob(".*.tmp"):  # of a killed run
                left.unlink(missing_ok=True)
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def done(self, block: Block) -> bool:
        """Whether the rows of `block` are there, made by this run from these inputs."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with self._file(block).open("rb") as handle:
                metadata = pq.ParquetFile(handle).schema_arrow.metadata or {}
        except (OSError, pa.ArrowInvalid):  # none there, or damaged
            return False
        return bool(metadata.get(_BINDING) == self._key(block))

    def read(self, block: Block, columns: list[str] | None = None) -> pa.Table:
        """The rows of `block`, which are `done`."""
        import pyarrow.parquet as pq

        with self._file(block).open("rb") as handle:
            return pq.ParquetFile(handle).read(columns=columns).replace_schema_metadata(None)

    def write(self, block: Block, table: pa.Table) -> None:
        """Keep the rows of `block`, whole or not at all."""
        import pyarrow.parquet as pq

        with atomic_path(self._file(block)) as temporary:
            pq.write_table(
                table.replace_schema_metadata({_BINDING: self._key(block)}),
                temporary,
                compression="zstd",
            )

    def _file(self, block: Block) -> Path:
        return self.path / f"part-{block.number:05d}.parquet"

    def _key(self, block: Block) -> bytes:
        return f"{self.digest}:{block.start}:{block.stop}".encode()

    def _require_empty(self) -> None:
        """Refuse somebody's folder, and leave it as it was."""
        lock = self.path / _LOCK_FILE
        if any(x != lock and not x.match(_RUN_BEGUN) for x in self.path.iterdir()):
            lock.unlink(missing_ok=True)
            raise self._foreign()

    def _foreign(self) -> ValueError:
        return ValueError(
            f"{self.path} is no folder of scores (it has no {RUN_FILE}); give a new or an empty one"
        )

    def _require_same(self, file: Path) -> None:
        try:
            there = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{file} cannot be read ({error}); give another folder") from error
        differs = sorted(
            key
            for key in self._binding.keys() | there.keys()
            if self._binding.get(key) != there.get(key)
        )
        if differs:
            raise ValueError(
                f"{self.path} holds scores of another run (other {', '.join(differs)}); give "
                "another folder, or remove it"
            )
