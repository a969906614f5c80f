"""What a person sees while a build runs: bars on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

LINE_SECONDS = 10.0


class Progress(Protocol):
    """What the driver tells of its work."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def start(self, step: str, todo: int, total: int, unit: str = "shards") -> None:
        """A step begins: `todo` of its `total` shards must be made.

        A `unit` other than "shards" is counted by `rows` alone.
        """

    def rows(self, rows: int) -> None:
        """So many rows more are done in the current step."""

    def shard(self) -> None:
        """A shard of the current step is finished."""

    def end(self) -> None:
        """The current step is finished."""


class SilentProgress:
    """Says nothing."""

    def note(self, text: str) -> None:
        """See `Progress`."""

    def start(self, step: str, todo: int, total: int, unit: str = "shards") -> None:
        """See `Progress`."""

    def rows(self, rows: int) -> None:
        """See `Progress`."""

    def shard(self) -> None:
        """See `Progress`."""

    def end(self) -> None:
        """See `Progress`."""


class LineProgress:
    """One line per step, and one every ten seconds within a long step; made for logs."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._step, self._unit = "", "shards"
        self._todo = self._total = self._shards = self._rows = 0
        self._began = self._said = 0.0

    def note(self, text: str) -> None:
        """See `Progress`."""
        print(text, file=self._out, flush=True)

    def start(self, step: str, todo: int, total: int, unit: str = "shards") -> None:
        """See `Progress`."""
        self._step, self._todo, self._total, self._unit = step, todo, total, unit
        self._shards = self._rows = 0
        self._began = self._said = time.monotonic()

    def rows(self, rows: int) -> None:
        """See `Progress`."""
        self._rows += rows
        if time.monotonic() - self._said >= LINE_SECONDS:
            self._said = time.monotonic()
            self._say("")

    def shard(self) -> None:
        """See `Progress`."""
        self._shards += 1

    def end(self) -> None:
        """See `Progress`."""
        if self._todo:
            self._say(", done")
        else:
            self.note(f"{self._step}: {self._total:,} {self._unit} up to date")

    def _say(self, end: str) -> None:
        seconds = time.monotonic() - self._began
        rate = f"({self._rows / max(seconds, 1e-9):,.0f}/s)"
        if self._unit == "shards":
            done = f"{self._shards}/{self._todo} shards"
            done += f", {self._rows:,} rows {rate}" if self._rows else ""
        else:
            done = f"{self._rows:,}/{self._todo:,} {self._unit} {rate}"
        if not end and self._shards:
            end = f", about {seconds / self._shards * (self._todo - self._shards):,.0f} s left"
        self.note(f"{self._step}: {done}, {seconds:.1f} s{end}")


class BarProgress:
    """One rich bar per step. A context manager."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        self._bars = RichProgress(
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rows]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(file=out),
        )
        self._task: Any = None
        self._rows, self._unit = 0, "shards"

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        """See `Progress`."""
        self._bars.console.print(text)

    def start(self, step: str, todo: int, total: int, unit: str = "shards") -> None:
        """See `Progress`."""
        self._rows, self._unit = 0, unit
        word = "" if unit == "shards" else unit
        self._task = self._bars.add_task(step, total=total, completed=total - todo, rows=word)

    def rows(self, rows: int) -> None:
        """See `Progress`."""
        self._rows += rows
        if self._unit == "shards":
            self._bars.update(self._task, rows=f"{self._rows:,} rows")
        else:
            self._bars.advance(self._task, rows)

    def shard(self) -> None:
        """See `Progress`."""
        self._bars.advance(self._task)

    def end(self) -> None:
        """See `Progress`."""
        self._bars.stop_task(self._task)


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Progress on stderr: bars where it is a terminal, lines otherwise."""
    if sys.stderr.isatty():
        with BarProgress(sys.stderr) as bars:
            yield bars
    else:
        yield LineProgress(sys.stderr)
