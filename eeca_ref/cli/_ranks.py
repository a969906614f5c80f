"""Of several processes that run the same command, one speaks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path


def rank() -> int:
    """The number that a launcher gave this process; 0 for one that runs alone."""
    text = os.environ.get("RANK", "0")
    return int(text) if text.isdecimal() else 0


@contextmanager
def only_main_speaks() -> Iterator[None]:
    """What processes other than the first would print, libraries' words included, is dropped."""
    if rank() == 0:
        yield
        return
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield
