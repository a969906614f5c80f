"""The unit of work: a shard's task, what comes out, and how its files are written.

A step's `make` writes files into the empty folder `task.work` and returns what it counted; it knows
nothing of atomicity, resuming or workers. `make_shard` runs it and hashes the files; the driver
then moves them to their place. So a worker that outlives its driver can spoil nothing.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mgld.build.config import BuildConfig
from mgld.build.manifest import BuildFacts, FileEntry
from mgld.build.read import read_table
from mgld.build.runner import Report
from mgld.files import sha256_file

Counts = dict[str, dict[str, int]]


@dataclass(frozen=True)
class ShardTask:
    """Everything needed to make one shard in any process.

    `versions` maps what the shard reads to the hash of its content: "catalog/names" -> "3f2a...".
    It keys what a worker keeps in memory from one shard to the next.
    """

    root: Path
    work: Path
    source_root: Path
    config: BuildConfig
    facts: BuildFacts
    step: str
    stage: str
    shard: str
    argument: Any
    versions: dict[str, str]

    @property
    def label(self) -> str:
        """Name for people and for messages."""
        return f"{self.stage}/{self.shard}"

    def table(self, stage: str, name: str, columns: list[str] | None = None) -> pa.Table:
        """A table of an earlier stage."""
        return read_table(self.root, stage, name, columns)

    def version(self, *reads: str) -> str:
        """Hash of the content behind some of what this shard reads."""
        return "+".join(self.versions[read] for read in reads)


@dataclass(frozen=True)
class Made:
    """What `make` counted: rows of the shard, and statuses by kind of thing."""

    rows: int
    counts: Counts


@dataclass(frozen=True)
class ShardOutput:
    """A finished shard, not yet in its place: file name relative to `folder` -> content."""

    folder: Path
    files: dict[str, FileEntry]
    made: Made


Make = Callable[[ShardTask, Report], Made]


def make_shard(task: ShardTask, report: Report) -> ShardOutput:
    """Make one shard below `task.work`: run its step, flush its files to disk and hash them.

    Each try has a folder of its own: of two, one may be of a worker that only seemed to be dead.
    """
    from mgld.build.stages import STEPS

    task = replace(task, work=task.work / secrets.token_hex(8))
    task.work.mkdir(parents=True)
    made = STEPS[task.step].make(task, report)
    files = {}
    for path in sorted(task.work.rglob("*")):
        if path.is_file():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
            name = path.relative_to(task.work).as_posix()
            files[name] = FileEntry(sha256=sha256_file(path), bytes=path.stat().st_size)
    return ShardOutput(task.work, files, made)


def write_parquet(table: pa.Table, path: Path, *, row_group_size: int | None = None) -> None:
    """Write `table`; the same table gives the same bytes."""
    strings = [field.name for field in table.schema if pa.types.is_string(field.type)]
    # Dictionaries only where they pay: they would double the size of vectors.
    pq.write_table(
        table, path, row_group_size=row_group_size, compression="zstd", use_dictionary=strings
    )


def count(statuses: Iterable[str]) -> dict[str, int]:
    """Status -> how many, in alphabetical order."""
    return dict(sorted(Counter(statuses).items()))
