"""A shard made on another machine: what its task reads is made sure of before, there.

Either the machine sees the build folder, at the same path; then it must see what the driver saw
when it planned the shard, which on a network file system can take a minute. Or it does not; then
what the task reads comes through an exchange, into a folder that the worker keeps for its next
task, and what it makes goes back the same way.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from mgld.build.exchange import Exchange
from mgld.build.manifest import MANIFEST_FILE, FileEntry
from mgld.build.runner import Report
from mgld.build.shards import ShardOutput, ShardTask, make_shard

SEEN_SECONDS = 90.0  # network file systems keep what they know of a folder for up to a minute


@dataclass(frozen=True)
class RemoteTask:
    """A shard's task, and what of the build it reads.

    `reads`: as in `ShardSpec`; `files`: the files that they name, path in the build -> content.
    """

    task: ShardTask
    reads: tuple[str, ...]
    files: dict[str, FileEntry]
    exchange: str | None

    @property
    def label(self) -> str:
        """Name for people and for messages."""
        return self.task.label


def make_remote_shard(remote: RemoteTask, report: Report) -> ShardOutput:
    """Make one shard where the driver may not be."""
    if remote.exchange is None:
        _wait_until_seen(remote)
        return make_shard(remote.task, report)
    exchange = Exchange(remote.exchange)
    root = _fetch(exchange, remote.files)
    work = root / ".work"
    try:
        output = make_shard(replace(remote.task, root=root, work=work), report)
        for name, entry in output.files.items():
            exchange.put(output.folder / name, entry)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return output


def _wait_until_seen(remote: RemoteTask) -> None:
    """Return once this machine sees the files that are read, and no others beside them.

    OSError where that takes too long, or where there is no build folder at all.
    """
    root = remote.task.root
    if not (root / MANIFEST_FILE).is_file():
        raise FileNotFoundError(
            f"this machine does not see the build folder {root}: --out must be a folder that all "
            "machines share under one path, or give --exchange URL"
        )
    end = time.monotonic() + SEEN_SECONDS
    while wrong := _differing(root, remote):
        if time.monotonic() > end:
            raise OSError(f"this machine does not see {root / wrong} as the driver does")
        time.sleep(0.5)


def _differing(root: Path, remote: RemoteTask) -> str:
    """A file that is not here as it should be, or should not be here; "" if all is as planned."""
    for path, entry in remote.files.items():
        try:
            if (root / path).stat().st_size != entry.bytes:
                return path
        except FileNotFoundError:
            return path
    for start in remote.reads:
        for found in (root / start).parent.rglob("*.parquet"):
            path = found.relative_to(root).as_posix()
            if path.startswith(start) and path not in remote.files:
                return path
    return ""


@lru_cache(maxsize=1)
def _scratch() -> Path:
    """This worker's folder."""
    return Path(tempfile.mkdtemp(prefix="mgld-worker-"))


_held: dict[str, FileEntry] = {}
"""The files in `_scratch`, as they were fetched."""


def _fetch(exchange: Exchange, files: dict[str, FileEntry]) -> Path:
    """A build folder on this machine that holds `files` and nothing else."""
    root = _scratch()
    for path in [path for path, entry in _held.items() if files.get(path) != entry]:
        del _held[path]
        (root / path).unlink()
    for path, entry in files.items():
        if path not in _held:
            exchange.get(entry, root / path)
            _held[path] = entry
    return root


def forget_build() -> None:
    """Remove what this worker keeps on its machine."""
    if _scratch.cache_info().currsize:
        shutil.rmtree(_scratch(), ignore_errors=True)
        _scratch.cache_clear()
        _held.clear()
