"""Files of the loopback endpoint."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any


class Files:
    """Uploaded and made files, on disk under `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)

    def add(self, content: bytes, filename: str, purpose: str) -> dict[str, Any]:
        """Keep a file; its file object."""
        identity = f"file-{next(self._numbers):08d}"
        (self.folder / identity).write_bytes(content)
        self.objects[identity] = {
            "id": identity,
            "object": "file",
            "bytes": len(content),
            "created_at": int(time.time()),
            "expires_at": None,
            "filename": filename,
            "purpose": purpose,
            "status": "processed",
            "status_details": None,
        }
        return self.objects[identity]

    def content(self, identity: str) -> bytes:
        """The bytes of a file that `objects` holds."""
        return (self.folder / identity).read_bytes()

    def delete(self, identity: str) -> None:
        """Forget a file."""
        del self.objects[identity]
        (self.folder / identity).unlink()
