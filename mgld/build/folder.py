"""The build folder itself: its lock, what a killed build left in it, and moving files into it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mgld.build.manifest import MANIFEST_FILE, FileEntry, Manifest
from mgld.build.plan import PlannedShard, Step
from mgld.build.shards import ShardOutput, ShardTask

LOCK_FILE = ".lock"
WORK_FOLDER = ".work"


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the build's lock; refuse folders that are no builds before anything is written."""
    from filelock import FileLock, Timeout

    if root.is_file():
        raise ValueError(f"{root} is a file; a build needs a folder")
    if root.is_dir() and not (root / MANIFEST_FILE).is_file():
        foreign = [path.name for path in root.iterdir() if not path.name.startswith(".")]
        if foreign:
            raise ValueError(
                f"{root} is not empty and is no build ({foreign[0]} is in it); "
                "give a new folder, or one that `mgld build` made"
            )
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"another build is running in {root}; wait for it, or stop it, and try again"
        ) from None
    try:
        yield
    finally:
        lock.release()


def open_folder(root: Path) -> Manifest:
    """The manifest of a new or known build folder, cleared of what a killed build left."""
    shutil.rmtree(root / WORK_FOLDER, ignore_errors=True)
    for left in root.glob(".*.tmp"):
        left.unlink(missing_ok=True)
    if (root / MANIFEST_FILE).is_file():
        return Manifest.load(root)
    manifest = Manifest()
    manifest.save(root)  # the first file of all: with it a folder that a kill left is a build's
    return manifest


def publish(output: ShardOutput, task: ShardTask, folder: Path) -> dict[str, FileEntry]:
    """Move a finished shard's files to their place; returns them by path in the build."""
    for name in output.files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (output.folder / name).replace(target)
    return {f"{task.stage}/{name}": entry for name, entry in output.files.items()}


def prune(step: Step, plan: Sequence[PlannedShard], manifest: Manifest, root: Path) -> None:
    """Remove shards that are no longer planned, and files in the stage that no shard owns.

    Readers take every Parquet file of a stage, so a file left by an earlier plan would be data.
    """
    entry = manifest.stage(step.stage)
    planned = {shard.spec.id for shard in plan}
    for shard_id in [id for id in entry.shards if step.owns(id) and id not in planned]:
        del entry.shards[shard_id]
    manifest.save(root)
    owned = {path for shard in entry.shards.values() for path in shard.files}
    for path in (root / step.stage).rglob("*.parquet"):
        if path.relative_to(root).as_posix() not in owned:
            path.unlink()
