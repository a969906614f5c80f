"""What the source holds, by content, without reading it all again at every run.

A build binds its shards to the SHA-256 of the source files they read. `source.json` in the build
folder remembers, as git's index does, for which size and modification time (ns) a hash was taken: a
file with the same two is taken as unchanged, any other is read again. Moving or touching a source
therefore costs a read and remakes nothing; changing it remakes what depends on it. A file changed
in place with its size and time put back is not noticed here; `mgld verify --rebuild` would show it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mgld.build.manifest import fingerprint
from mgld.build.progress import Progress
from mgld.build.runner import Report, Runner
from mgld.files import sha256_file, write_text_atomically

INDEX_FILE = "source.json"
METADATA_FILES = (
    "train.csv",
    "train_label_to_category.csv",
    "train_label_to_hierarchical.csv",
    "train_attribution.csv",
)
GROUND_TRUTH_FILE = "ground_truth.parquet"
METADATA = "metadata"
GROUND_TRUTH = "ground_truth"


@dataclass(frozen=True)
class SourcePart:
    """Files of the source that are read in one go. `files`: sorted, relative to the source."""

    key: str
    files: tuple[str, ...]

    def stamp(self, root: Path) -> str:
        """Changes when a file's name, size or modification time does."""
        stats = [(name, (root / name).stat()) for name in self.files]
        return fingerprint([[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats])

    def digest(self, root: Path) -> str:
        """Changes when a file's name or content does."""
        return fingerprint([[name, sha256_file(root / name)] for name in self.files])


@dataclass(frozen=True)
class _HashTask:
    root: Path
    part: SourcePart

    @property
    def label(self) -> str:
        return f"source/{self.part.key}"


def _hash_part(task: _HashTask, report: Report) -> tuple[str, str]:
    # The stamp is taken first: a file that changes meanwhile gets another one and is read again.
    return task.part.stamp(task.root), task.part.digest(task.root)


def source_parts(root: Path) -> list[SourcePart]:
    """The parts under `root`: metadata, ground truth (may be no file), one per image archive.

    FileNotFoundError where `root` is no folder.
    """
    from mgld.gldv2 import find_archives

    archives = find_archives(root)
    metadata = _metadata_files(root)
    truth = [GROUND_TRUTH_FILE] if (root / GROUND_TRUTH_FILE).is_file() else []
    parts = [SourcePart(METADATA, tuple(metadata)), SourcePart(GROUND_TRUTH, tuple(truth))]
    for archive in archives:
        files = sorted(name for source in archive.sources for name in _files(root, source))
        parts.append(SourcePart(archive.id, tuple(files)))
    return parts


def _metadata_files(root: Path) -> list[str]:
    return [
        f"{folder}{name}"
        for folder in ("metadata/", "")
        for name in METADATA_FILES
        if (root / folder / name).is_file()
    ]


def _files(root: Path, source: str) -> Iterable[str]:
    if (root / source).is_file():
        yield source
    for folder, _, names in os.walk(root / source):
        for name in names:
            path = Path(folder) / name
            if path.is_file():  # not a link to nowhere, a pipe or a device
                yield path.relative_to(root).as_posix()


def require_source(root: Path) -> None:
    """FileNotFoundError unless `root` is a folder with any of GLDv2's tables in it.

    A look that takes no time, before anything that does.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder: expected a GLDv2 source")
    if not _metadata_files(root):
        if _metadata_files(root.parent):
            raise FileNotFoundError(
                f"no {METADATA_FILES[1]} in {root}: did you mean {root.parent}?"
            )
        raise FileNotFoundError(
            f"no {METADATA_FILES[1]} in {root / 'metadata'} or {root}: is this a GLDv2 source? "
            f"`mgld fetch {root}` downloads the metadata"
        )


class SourceIndex:
    """Content hash of every part of the source, kept in `build/source.json`.

    `digests` maps part key -> hash, in the order of `source_parts`.
    """

    def __init__(self, build: Path, root: Path) -> None:
        self._path = build / INDEX_FILE
        self._root = root
        self._entries: dict[str, list[str]] = {}
        self.digests: dict[str, str] = {}

    @property
    def archives(self) -> list[str]:
        """Ids of the image archives."""
        return [key for key in self.digests if key not in (METADATA, GROUND_TRUTH)]

    def refresh(self, runner: Runner, progress: Progress) -> None:
        """Bring `digests` up to date, reading only what is new or touched; see `remember`."""
        parts = source_parts(self._root)
        known = self._load()
        stamps = {part.key: part.stamp(self._root) for part in parts}
        changed = [part for part in parts if known.get(part.key, ["", ""])[0] != stamps[part.key]]
        progress.start("source/hash", len(changed), len(parts))
        entries = {part.key: known[part.key] for part in parts if part not in changed}
        tasks = [_HashTask(self._root, part) for part in changed]
        for task, (stamp, digest) in runner.run(_hash_part, tasks, lambda _task, _rows: None):
            entries[task.part.key] = [stamp, digest]
            progress.shard()
        progress.end()
        self._entries = {part.key: entries[part.key] for part in parts}
        self.digests = {key: digest for key, (_, digest) in self._entries.items()}

    def remember(self) -> None:
        """Write what `refresh` found to `source.json`, once this source is the build's."""
        if self._entries != self._load():
            write_text_atomically(self._path, json.dumps(self._entries, indent=1) + "\n")

    def recall(self) -> None:
        """Set `digests` without reading anything: from the last run, "changed" where touched since.

        For a look at a build; the source itself may be away.
        """
        known = self._load()
        if self._root.is_dir():
            stamps = {part.key: part.stamp(self._root) for part in source_parts(self._root)}
        else:
            stamps = {key: stamp for key, (stamp, _) in known.items()}
        self.digests = {
            key: known[key][1] if known.get(key, ["", ""])[0] == stamp else "changed"
            for key, stamp in stamps.items()
        }

    def _load(self) -> dict[str, list[str]]:
        try:
            entries: dict[str, list[str]] = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}  # nothing remembered: everything is read again
        return entries
