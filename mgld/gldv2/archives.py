"""Images as they lie on disk: published tars, `a/b/c/<id>.jpg` folders, loose files, or all three.

Archives are read member by member and never extracted; a member's path serves only to find the
image id in its base name. Every member that is not a plain directory becomes an entry with a
status; errors are data. Each entry says where its bytes lie, so that they can be read again without
a scan.

Loose files are those directly in `train` or in the root that are called `*.jpg` or `*.jpeg`: they
are read as files of a folder are. With them goes what is called `*.tar` and is no archive to read.
Folders with other names, and other files beside them, are not GLDv2's and are not looked into.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

MAX_IMAGE_BYTES = 256 << 20
HEX_DIGITS = "0123456789abcdef"
LOOSE = "loose"
IMAGE_NAME = re.compile(r"([0-9a-f]{16})\.(?:jpg|jpeg|JPG|JPEG)")
END_OF_ARCHIVE = bytes(tarfile.BLOCKSIZE)


@dataclass(frozen=True)
class ImageShard:
    """A part of the images that is read in one go.

    `id`: `images_000.tar`, `folder-0` for the files under the first hex digit 0, or `loose`.
    `sources`: the tar, the digit's folders, or the loose files, relative to the source root.
    """

    id: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class ImageEntry:
    """One member of an archive or file of a folder.

    status: `ok` (data is there), `empty`, `not_an_image_name` (the base name is not `<id>.jpg`),
    `unsafe_path` (absolute, with `..`, a link, a device, a name on disk that is not Unicode),
    `duplicate` (data is there, but so is that of an earlier entry with this id in this shard:
    whoever decodes takes the first copy that is an image), `too_large` (over MAX_IMAGE_BYTES),
    `truncated_archive` (nothing behind this point can be read; image_id is the member that is cut,
    or empty), `not_an_archive` (called `*.tar`, but a folder, a pipe or a link to nowhere).
    `source`: the tar or file relative to the root; `offset`, `size`: its bytes in that file. Source
    and reason are valid Unicode; bytes of a name that are none show as `\\udcXX`.
    """

    image_id: str
    status: str
    reason: str
    data: bytes | None
    source: str
    offset: int
    size: int


def find_archives(root: str | Path) -> list[ImageShard]:
    """The shards under `root/train` and `root`: tars by name, folders by digit, then `loose`.

    Empty if there are no images. Raises FileNotFoundError if `root` is no folder, ValueError if two
    tars have the same name (their images could not be told apart).
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder: expected a GLDv2 source")
    tars: dict[str, str] = {}
    folders: dict[str, list[str]] = {}
    loose: list[str] = []
    for base in (root / "train", root):
        if not base.is_dir():
            continue
        for path in sorted(base.iterdir()):
            source = path.relative_to(root).as_posix()
            if path.suffix == ".tar" and path.is_file() and _is_unicode(path.name):
                if path.name in tars:
                    raise ValueError(
                        f"{path.name} is both in {root / 'train'} and in {root}: remove one"
                    )
                tars[path.name] = source
            elif path.suffix == ".tar" or _is_loose_image(path):
                loose.append(source)
        for digit in HEX_DIGITS:
            if (base / digit).is_dir():
                folder = (base / digit).relative_to(root).as_posix()
                folders.setdefault(digit, []).append(folder)
    return [
        *(ImageShard(name, (tars[name],)) for name in sorted(tars)),
        *(ImageShard(f"folder-{digit}", tuple(folders[digit])) for digit in sorted(folders)),
        *([ImageShard(LOOSE, tuple(loose))] if loose else []),
    ]


def iter_images(root: str | Path, shard_id: str) -> Iterator[ImageEntry]:
    """The entries of one shard in a fixed order, streamed.

    Raises FileNotFoundError if there is no such shard.
    """
    root = Path(root)
    shard = next((shard for shard in find_archives(root) if shard.id == shard_id), None)
    if shard is None:
        raise FileNotFoundError(f"no image archive {shard_id} in {root / 'train'} or {root}")
    entries: Iterator[ImageEntry]
    if shard_id.endswith(".tar"):
        entries = _iter_tar(root, shard.sources[0])
    elif shard_id == LOOSE:
        entries = (_loose_entry(root, root / source) for source in shard.sources)
    else:
        entries = (entry for folder in shard.sources for entry in _iter_folder(root, folder))
    return _mark_duplicates(entries)


def read_image(root: str | Path, source: str, offset: int, size: int) -> bytes:
    """The bytes of an entry again, from the place it was found at.

    Raises ValueError if `source` does not stay under `root` or no longer holds `size` bytes there,
    FileNotFoundError if it is gone.
    """
    path = PurePosixPath(source)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"image source {source!r} leaves the source folder")
    with (Path(root) / path).open("rb") as handle:
        handle.seek(offset)
        data = handle.read(size)
    if len(data) != size:
        raise ValueError(
            f"{source} holds {len(data)} of {size} bytes at {offset}: it changed since it was read"
        )
    return data


def _mark_duplicates(entries: Iterator[ImageEntry]) -> Iterator[ImageEntry]:
    """Of the entries with one id those behind the first `ok` one are duplicates, data and all."""
    seen: set[str] = set()
    for entry in entries:
        if entry.status == "ok" and entry.image_id in seen:
            reason = "the image was read before in this shard"
            yield replace(entry, status="duplicate", reason=reason)
            continue
        if entry.status == "ok":
            seen.add(entry.image_id)
        yield entry


def _failed(
    source: str, offset: int, size: int, status: str, reason: str, image_id: str = ""
) -> ImageEntry:
    # Names in archives and on disk need not be valid Unicode; what is stored must be.
    source, reason = (
        text.encode("utf-8", "backslashreplace").decode("utf-8") for text in (source, reason)
    )
    return ImageEntry(image_id, status, reason, None, source, offset, size)


def _is_unicode(name: str) -> bool:
    """Whether a name on disk is UTF-8; Python shows other bytes as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _is_loose_image(path: Path) -> bool:
    return path.suffix.lower() in (".jpg", ".jpeg") and (path.is_symlink() or not path.is_dir())


def _image_id(name: str) -> str:
    """The image id in a base name, or "" if it is no image's name."""
    match = IMAGE_NAME.fullmatch(name)
    return match[1] if match else ""


def _iter_folder(root: Path, folder: str) -> Iterator[ImageEntry]:
    base = (root / folder).resolve()
    pending = [root / folder]
    while pending:
        here = pending.pop()
        children = sorted(here.iterdir())
        # Depth first, in the order of the names.
        pending += [p for p in reversed(children) if p.is_dir() and not p.is_symlink()]
        for path in children:
            if path.is_dir() and not path.is_symlink():
                continue
            yield _file_entry(root, path, base)


def _file_entry(root: Path, path: Path, base: Path) -> ImageEntry:
    """Judge one file, and read its data; `base` is the folder that links may not leave."""
    source = path.relative_to(root).as_posix()
    if not path.is_file():
        return _failed(source, 0, 0, "unsafe_path", f"{source}: not a regular file")
    if path.is_symlink() and not path.resolve().is_relative_to(base):
        return _failed(source, 0, 0, "unsafe_path", f"{source}: a link out of the folder")
    size = path.stat().st_size
    if problem := _problem(path.name, size):
        return _failed(source, 0, size, *problem, _image_id(path.name))
    if not _is_unicode(source):
        reason = f"{source}: the path is not UTF-8, so it cannot be stored; rename it"
        return _failed(source, 0, size, "unsafe_path", reason)
    data = path.read_bytes()
    return ImageEntry(_image_id(path.name), "ok", "", data, source, 0, len(data))


def _loose_entry(root: Path, path: Path) -> ImageEntry:
    """Judge a file directly in `train` or the root, or what is called a tar and cannot be read."""
    if path.suffix != ".tar":
        return _file_entry(root, path, path.parent.resolve())
    source = path.relative_to(root).as_posix()
    if path.is_file():
        reason = f"{source}: the name is not UTF-8, so it cannot be stored; rename it"
        return _failed(source, 0, path.stat().st_size, "unsafe_path", reason)
    reason = f"{source}: called a tar, but not a regular file"
    return _failed(source, 0, 0, "not_an_archive", reason)


def _problem(path: str, size: int) -> tuple[str, str] | None:
    """Status and reason of a regular file that cannot be taken by its name and size."""
    if not _image_id(PurePosixPath(path).name):
        return "not_an_image_name", f"{path}: the base name is not <16 lowercase hex digits>.jpg"
    if size == 0:
        return "empty", f"{path}: no bytes"
    if size > MAX_IMAGE_BYTES:
        return "too_large", f"{path}: {size} bytes, over the limit of {MAX_IMAGE_BYTES}"
    return None


def _iter_tar(root: Path, source: str) -> Iterator[ImageEntry]:
    with (root / source).open("rb") as handle:
        end = handle.seek(0, 2)
        handle.seek(0)
        position = 0
        try:
            # "r:" (uncompressed, seekable): headers are read one by one and data by its offset.
            with tarfile.open(fileobj=handle, mode="r:") as archive:
                while (member := archive.next()) is not None:
                    if member.offset_data <= position or member.size < 0:
                        # A crafted header can send tarfile backwards, and round in circles.
                        raise tarfile.ReadError("a header with a negative size")
                    position = member.offset_data
                    if member.isdir():
                        continue
                    entry = _tar_entry(handle, end, source, member)
                    yield entry
                    if entry.status == "truncated_archive":
                        return
                position = archive.offset
            reason = _end_problem(handle, position)
        # tarfile lets ValueError and OverflowError through for nonsense in extended headers.
        except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
            reason = f"cannot be read on: {error}"
        if reason:
            reason = f"{source}, byte {position} of {end}: {reason}"
            yield _failed(source, position, 0, "truncated_archive", reason)


def _tar_entry(handle: BinaryIO, end: int, source: str, member: tarfile.TarInfo) -> ImageEntry:
    """Judge one member by its header, and read its data."""
    offset, size, name = member.offset_data, member.size, member.name
    path = PurePosixPath(name)
    image_id = _image_id(path.name)
    if not member.isreg() or member.issparse():
        reason = f"{name}: not a plain file (a link, a device or sparse)"
        return _failed(source, offset, 0, "unsafe_path", reason)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        reason = f"{name}: an absolute path or one that climbs out"
        return _failed(source, offset, size, "unsafe_path", reason)
    if offset + size > end:
        reason = f"{name}: {end - offset} of {size} bytes are there; the archive is cut here"
        return _failed(source, offset, size, "truncated_archive", reason, image_id)
    if problem := _problem(name, size):
        return _failed(source, offset, size, *problem, image_id)
    handle.seek(offset)
    return ImageEntry(image_id, "ok", "", handle.read(size), source, offset, size)


def _end_problem(handle: BinaryIO, position: int) -> str:
    """Why the archive does not end at `position` as it should, or "".

    tarfile takes a damaged header, and the lack of one, for the end of the archive.
    """
    handle.seek(position)
    block = handle.read(tarfile.BLOCKSIZE)
    if block == END_OF_ARCHIVE:
        return ""
    return "a damaged header" if len(block) == len(END_OF_ARCHIVE) else "no end-of-archive mark"
