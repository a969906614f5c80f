"""A bundle as it lies on disk: a folder, or a zip of it, with exactly the files of `LIMITS`.

A folder is what reviewers read on the Hub, where a pull request shows its files; a zip is one thing
to send. Nothing is ever extracted: files are read by their known names, under a limit each, so that
no path in an archive is followed and no size in it is believed.
"""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mgld.files import atomic_path
from mgld.leaderboard.findings import examples, printable

MANIFEST: Final = "submission.yaml"
QUESTIONS: Final = "questions.jsonl"
ANSWERS: Final = "answers.jsonl"
VERDICTS: Final = "verdicts.jsonl"
METRICS: Final = "metrics.json"
_MIB: Final = 1 << 20
LIMITS: Final[Mapping[str, int]] = {
    MANIFEST: _MIB // 16,
    QUESTIONS: 64 * _MIB,
    ANSWERS: 256 * _MIB,
    VERDICTS: 128 * _MIB,
    METRICS: 16 * _MIB,
}
"""The files of a bundle and the most bytes of each. Five answers to each of 5,000 questions, all of
256 tokens, are about 50 MB."""
_MAX_RATIO: Final = 200
"""Of a zip's member, where it is larger than a megabyte: JSON lines compress about tenfold, and a
bomb a thousandfold."""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


class BundleError(ValueError):
    """It is no bundle that can be read, and why."""


def read_bundle(path: Path) -> dict[str, bytes]:
    """The files of a bundle by name. BundleError: anything else is in it, or one is missing,
    larger than its limit, damaged, or no plain file.
    """
    if path.is_dir() and not path.is_symlink():
        return _read_folder(path)
    if path.is_file():
        return _read_zip(path)
    raise BundleError(
        f"{path} is no bundle: there is no such folder or zip; `mgld submit prepare` makes one"
    )


def write_bundle(files: Mapping[str, bytes], out: Path) -> None:
    """Write a bundle, whole or not at all: a zip where `out` ends in .zip, else a folder.

    The zip's bytes follow from the files alone (with one version of zlib). ValueError where `out`
    is there already: a bundle is never changed in place.
    """
    if set(files) != set(LIMITS):
        raise ValueError(f"a bundle has {', '.join(LIMITS)}; these are {', '.join(files)}")
    if out.exists() or out.is_symlink():
        raise ValueError(f"{out} is there already; remove it or give another --out")
    if out.suffix == ".zip":
        with atomic_path(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for name in LIMITS:
                member = zipfile.ZipInfo(name, _EPOCH)
                member.compress_type = zipfile.ZIP_DEFLATED
                member.external_attr = 0o644 << 16
                archive.writestr(member, files[name], compresslevel=9)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir()
        for name in LIMITS:
            with (temporary / name).open("wb") as handle:
                handle.write(files[name])
                handle.flush()
                os.fsync(handle.fileno())
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _read_folder(folder: Path) -> dict[str, bytes]:
    with os.scandir(folder) as entries:
        there = {entry.name: entry.stat(follow_symlinks=False) for entry in entries}
    _require_names(sorted(there))
    for name, status in there.items():
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{name} is no plain file: a bundle has no links and no folders")
        _require_size(name, status.st_size)
    return {name: _read_file(folder / name) for name in LIMITS}


def _read_file(path: Path) -> bytes:
    # What it is was checked a moment ago; a link put there since is not followed.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as handle:
        data = handle.read(LIMITS[path.name] + 1)
    _require_size(path.name, len(data))
    return data


def _read_zip(path: Path) -> dict[str, bytes]:
    if path.stat().st_size > sum(LIMITS.values()):
        raise BundleError(f"{path.name} is larger than all files of a bundle may be together")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _require_names([member.filename for member in members])
            for member in members:
                _require_plain(member)
            return {member.filename: _read_member(archive, member) for member in members}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError) as error:
        raise BundleError(f"{path.name} is no whole zip archive: {error}; make it again") from error


def _require_names(names: list[str]) -> None:
    strange = [repr(printable(name)) for name in names if name not in LIMITS]
    if strange:
        raise BundleError(
            f"it holds {len(strange):,} things that are no files of a bundle {examples(strange)}; "
            f"a bundle has, with no folder around them, {', '.join(LIMITS)}"
        )
    if len(set(names)) < len(names):
        raise BundleError("it holds a file more than once: which one counts cannot be told")
    missing = [name for name in LIMITS if name not in names]
    if missing:
        raise BundleError(f"it has no {', '.join(missing)}; `mgld submit prepare` writes all files")


def _require_plain(member: zipfile.ZipInfo) -> None:
    name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise BundleError(f"{name} is no plain file: a bundle has no links and no folders")
    if member.flag_bits & 1:
        raise BundleError(f"{name} is encrypted; a bundle is public")
    _require_size(name, member.file_size)
    if member.file_size > _MIB and member.file_size > _MAX_RATIO * member.compress_size:
        raise BundleError(
            f"{name} would unpack to {member.file_size / max(1, member.compress_size):,.0f} times "
            "its size: that is no file of answers"
        )


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as handle:
        data = handle.read(LIMITS[member.filename] + 1)
    _require_size(member.filename, len(data))
    return data


def _require_size(name: str, size: int) -> None:
    if size > LIMITS[name]:
        raise BundleError(
            f"{name} has {size / _MIB:,.1f} MiB, at most {LIMITS[name] / _MIB:g} are taken: "
            "answers are cut by the model's max_new_tokens, and details are no place for data"
        )
