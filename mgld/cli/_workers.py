"""How many processes a command uses when it is not told."""

from __future__ import annotations


def default_workers() -> int:
    """The cores this process may use, at most 8: each worker holds an encoder."""
    import os

    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
