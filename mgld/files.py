"""Files that are either whole or absent: atomic writes and content hashes."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK_BYTES = 1 << 20


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to disk and rename it.

    On any exception the temporary file is removed and `path` is as it was. A SIGKILL leaves at most
    a `.NAME.PID.tmp` behind, never a half-written `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`; on success it takes the place of `path`, if there is one.

    On any exception `path` is as it was. A SIGKILL leaves at most a `.NAME.PID.tmp` behind: the two
    are exchanged in one step where the system can (Linux), else by two renames, between which a
    kill leaves the former folder whole as `.NAME.PID.tmp.old`. For what can be made again: files
    are not flushed one by one, which for thousands of them takes longer than writing them, so that
    a loss of power may cost the last folder made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        yield temporary
        if not path.exists():
            temporary.rename(path)
        elif not _exchange(temporary, path):
            old = temporary.with_name(f"{temporary.name}.old")
            path.rename(old)
            try:
                temporary.rename(path)
            except OSError:
                old.rename(path)
                raise
            shutil.rmtree(old)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Whether the two could be exchanged in one step (renameat2 of Linux, RENAME_EXCHANGE)."""
    call = getattr(ctypes.CDLL(None), "renameat2", None)
    at_cwd, exchange = -100, 2
    return call is not None and not call(
        at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange
    )


def write_text_atomically(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    result = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK_BYTES):
            result.update(chunk)
    return result.hexdigest()
