"""Of several processes that run the same command, one speaks."""

from __future__ import annotations

import os


def is_main() -> bool:
    """Whether this is the first process of all, or the only one."""
    return os.environ.get("RANK", "0") == "0"
