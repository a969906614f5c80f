"""Versions and machine type of a process, on which the last bits of a vector depend.

docs/definitions.md, "Exactness". The manifest says per shard in which environment it was made.
"""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "mgld",
    "torch",
    "open_clip_torch",
    "transformers",
    "numpy",
    "pillow",
    "pyarrow",
    "faiss-cpu",
)


def environment() -> dict[str, str]:
    """What -> version, of this process."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
