"""Vectors made elsewhere: one `.npz` file, joined on image ids and names.

    np.savez(FILE, image_ids=[...], images=..., name_strings=[...], names=...)

- image_ids: text [M], the dataset's `id` of each image; images: float32 [M, d]
- name_strings: text [N], candidate names; names: float32 [N, d]

Rows are unit vectors in any order; text is compared after Unicode NFC. What the dataset does not
have is ignored, so one file serves every config. The vectors stay on disk and are read as they are
needed, unless the file is compressed (`np.savez_compressed`).
"""

from __future__ import annotations

import mmap
import os
import struct
import unicodedata
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mgld.files import sha256_file
from mgld.scoring import validate

_KEYS = ("image_ids", "images", "name_strings", "names")


@dataclass(frozen=True)
class EmbeddingFile:
    """The content of an embedding file: vectors, and the rows that ids and names stand in.

    digest: SHA-256 of the file. mapped: its bytes, which vectors that lie there as they are are
    read from.
    """

    path: Path
    images: NDArray[np.float32]
    image_rows: dict[str, int]
    names: NDArray[np.float32]
    name_rows: dict[str, int]
    digest: str
    mapped: mmap.mmap

    def require_images(self, ids: Sequence[str]) -> None:
        """ValueError naming the ids that have no vector."""
        self._rows_of(self.image_rows, ids, "images")

    def images_of(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """float32 [len(ids), d]; ValueError naming the ids that have no vector."""
        return self._copied(self.images, self._rows_of(self.image_rows, ids, "images"))

    def names_of(self, names: Sequence[str]) -> NDArray[np.float32]:
        """float32 [len(names), d]; ValueError naming the names that have no vector."""
        return self._copied(self.names, self._rows_of(self.name_rows, names, "names"))

    def _copied(self, vectors: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some of the vectors; the pages they were read from are let go, and can be read again."""
        copied = vectors[rows]
        _let_go(self.mapped)
        return copied

    def _rows_of(self, rows: dict[str, int], keys: Sequence[str], what: str) -> NDArray[np.int64]:
        normal = [unicodedata.normalize("NFC", key) for key in keys]
        missing = [key for key in normal if key not in rows]
        if missing:
            some = ", ".join(repr(key) for key in missing[:3])
            raise ValueError(
                f"{self.path} has no vector for {len(missing)} of {len(keys)} {what}: "
                f"{some}{', ...' if len(missing) > 3 else ''}"
            )
        return np.array([rows[key] for key in normal], dtype=np.int64)


def read_embeddings(path: Path) -> EmbeddingFile:
    """Read and check an embedding file; ValueError saying what is wrong, OSError if unreadable."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise ValueError("one array, not an .npz of several")
        with loaded:
            absent = [key for key in _KEYS if key not in loaded]
            if absent:
                raise ValueError(f"it lacks {', '.join(absent)}")
            with path.open("rb") as handle:
                mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
            arrays = {key: _stored(mapped, loaded, key) for key in _KEYS}
        images = validate.vectors("image", arrays["images"])
        names = validate.vectors("name", arrays["names"])
        if images.shape[1] != names.shape[1]:
            raise ValueError(f"images have {images.shape[1]} dimensions, names {names.shape[1]}")
        digest = sha256_file(path)
        _let_go(mapped)
        return EmbeddingFile(
            path=path,
            images=images,
            image_rows=_rows("image_ids", arrays["image_ids"], len(images)),
            names=names,
            name_rows=_rows("name_strings", arrays["name_strings"], len(names)),
            digest=digest,
            mapped=mapped,
        )
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path}: {error}. Expected an .npz with text arrays image_ids and name_strings and "
            "float32 unit vectors images [M, d] and names [N, d]"
        ) from error


def _stored(mapped: mmap.mmap, archive: Any, key: str) -> NDArray[Any]:
    """An array of an .npz, as it lies in the mapped file; one that does not is read."""
    member = archive.zip.getinfo(f"{key}.npy")
    mapped.seek(member.header_offset + 26)
    # The name and the extra field of a member's own header come before its bytes; the header in
    # the archive's directory has another extra field.
    name_bytes, extra_bytes = struct.unpack("<HH", mapped.read(4))
    mapped.seek(name_bytes + extra_bytes, os.SEEK_CUR)
    if member.compress_type == zipfile.ZIP_STORED:
        version = np.lib.format.read_magic(mapped)
        if version == (1, 0):  # what NumPy writes, but for very long headers
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(mapped)
            if not dtype.hasobject and 0 not in shape:
                order: Literal["F", "C"] = "F" if fortran else "C"
                return np.ndarray(shape, dtype, mapped, mapped.tell(), order=order)
    array: NDArray[Any] = archive[key]
    return array


def _let_go(mapped: mmap.mmap) -> None:
    """Take pages that were read out of this process's memory, where the system knows how."""
    if hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _rows(label: str, keys: NDArray[Any], length: int) -> dict[str, int]:
    """Key -> row, of an array of unique text [length]."""
    if keys.dtype.kind != "U" or keys.shape != (length,):
        raise ValueError(f"{label}: expected text [{length}], got {keys.dtype} {list(keys.shape)}")
    rows: dict[str, int] = {}
    for row, key in enumerate(keys.tolist()):
        normal = unicodedata.normalize("NFC", key)
        if rows.setdefault(normal, row) != row:
            raise ValueError(f"{label}[{row}] = {key!r} occurs twice")
    return rows
