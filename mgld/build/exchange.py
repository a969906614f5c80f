"""Files on their way between machines that share no build folder: any place fsspec can reach.

A file lies under the hash of its content. So two workers that make the same shard write the same
file, nothing there is ever changed, and what is read is known to be what was written.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from mgld.build.manifest import FileEntry
from mgld.files import atomic_path, sha256_file

# An upload to these is there as a whole or not at all, and to move a file is to copy it.
OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "r2"}


class Exchange:
    """The files under an fsspec URL, e.g. `s3://bucket/mgld` or `file:///shared/mgld`.

    Credentials are those of the environment, as the file system's library looks for them.
    ValueError for an URL that names no file system, or one whose library is not installed.
    """

    def __init__(self, url: str) -> None:
        import fsspec

        try:
            fs, base = fsspec.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ValueError(f"--exchange {url}: {error}") from error
        self._fs: Any = fs
        self._base = base.rstrip("/")
        protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
        self._whole_puts = bool(protocols & OBJECT_STORES)

    def holds(self, entry: FileEntry) -> bool:
        """Whether a file of that hash and size is there."""
        self._fs.invalidate_cache()  # others write there too
        try:
            return bool(self._fs.info(self._place(entry))["size"] == entry.bytes)
        except FileNotFoundError:
            return False

    def put(self, path: Path, entry: FileEntry) -> None:
        """Copy a local file there, unless it is there; never visible by halves."""
        if self.holds(entry):
            return
        place = self._place(entry)
        if self._whole_puts:
            self._fs.put_file(str(path), place)
            return
        temporary = f"{place}.{secrets.token_hex(8)}.tmp"
        self._fs.makedirs(self._fs._parent(place), exist_ok=True)
        try:
            self._fs.put_file(str(path), temporary)
            self._fs.mv(temporary, place)
        except BaseException:
            if self._fs.exists(temporary):
                self._fs.rm_file(temporary)
            raise

    def get(self, entry: FileEntry, path: Path) -> None:
        """Copy a file from there to `path`, whole or not at all; OSError unless it has its hash."""
        with atomic_path(path) as temporary:
            self._fs.get_file(self._place(entry), str(temporary))
            if sha256_file(temporary) != entry.sha256:
                raise OSError(f"{self._place(entry)} does not hold what was written there")

    def _place(self, entry: FileEntry) -> str:
        return f"{self._base}/{entry.sha256[:2]}/{entry.sha256}"
