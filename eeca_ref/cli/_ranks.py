"""Of several processes that run the same command, one speaks."""

from __future__ import annotations

import os


def rank() -> int:
    """The number that a launcher gave this process; 0 for one that runs alone."""
    text = os.environ.get("RANK", "0")
    return int(text) if text.isdecimal() else 0
