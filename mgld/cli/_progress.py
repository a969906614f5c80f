"""Progress of long work on stderr, with its rate and what is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Never

import click

_LINE_SECONDS = 10.0


@contextmanager
def step_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function to be called with (what is done, how many are done, of how many).

    A bar for each step on a terminal, else a line on stderr when a step begins and ends and every
    ten seconds.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        bars: dict[str, tqdm[Never]] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in bars:
                bars[what] = tqdm(desc=what, total=total, initial=done, unit="row")
            bars[what].update(done - bars[what].n)

        try:
            yield show
        finally:
            for bar in bars.values():
                bar.close()
        return
    began: dict[str, float] = {}
    said: dict[str, float] = {}

    def tell(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        first = what not in began
        began.setdefault(what, now)
        if first or done == total or now - said[what] >= _LINE_SECONDS:
            said[what] = now
            click.echo(_line(what, done, total, now - began[what]), err=True)

    yield tell


def _line(what: str, done: int, total: int, seconds: float) -> str:
    """E.g. "records: 8,192 of 203,094 (512/s, 6:21 left)"."""
    line = f"{what}: {done:,} of {total:,}"
    if not done or not seconds:
        return line
    rate = done / seconds
    left = round((total - done) / rate)
    minutes, rest = divmod(left, 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    return f"{line} ({rate:,.0f}/s, {clock} left)" if left else f"{line} ({rate:,.0f}/s)"
