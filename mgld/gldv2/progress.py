"""How a download reports what it is doing: bars on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from rich.progress import TaskID


class Progress(Protocol):
    """Told by worker threads how each file is going."""

    def size(self, name: str, done: int, total: int | None) -> None:
        """`done` of `total` bytes (None: unknown) of file `name` are on disk."""

    def line(self, text: str) -> None:
        """Something worth a line happened: a retry, a finished file, a failure."""


class PlainProgress:
    """A line per event on stderr, nothing in between: for logs and pipes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def size(self, name: str, done: int, total: int | None) -> None:
        """Not shown."""

    def line(self, text: str) -> None:
        """Print one line."""
        # One write a line: lines of several threads do not mix.
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


class BarProgress:
    """A bar per file being downloaded, with speed and time left; finished files leave a line."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def size(self, name: str, done: int, total: int | None) -> None:
        """Move the bar of `name`; it goes when the file is complete."""
        with self._lock:
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(name, total=total)
            self._progress.update(self._tasks[name], completed=done, total=total)
            if done == total:
                self._progress.remove_task(self._tasks.pop(name))

    def line(self, text: str) -> None:
        """Print one line above the bars."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)


def terminal_progress() -> PlainProgress | BarProgress:
    """Bars where a person watches, plain lines where a file or a pipe does."""
    return BarProgress() if sys.stderr.isatty() else PlainProgress()
