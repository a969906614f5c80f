"""Where shards are made: in this process, or in a few local ones. Knows nothing of stages.

A runner maps a function over tasks and yields results as they come, in any order. Workers die with
the driver, whatever kills it; a worker that dies or raises stops the run with the task's name.
"""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from mgld.processes import stay_with_parent

STOP_SECONDS = 5.0

Report = Callable[[int], None]
"""Called by a task with the number of rows it has done since the last call."""


class Task(Protocol):
    """What a runner needs to know of a task: what to call it in a message."""

    @property
    def label(self) -> str:
        """Name for people, e.g. "embeddings/images-images_000.tar"."""
        ...


T = TypeVar("T", bound=Task)
R = TypeVar("R")


class TaskError(RuntimeError):
    """A task failed. `errno` is that of an OSError, else None.

    `details` is the traceback, or "" for a ValueError or OSError: those say what is wrong with the
    input, others are bugs.
    """

    def __init__(self, message: str, *, errno: int | None = None, details: str = "") -> None:
        super().__init__(message)
        self.errno = errno
        self.details = details


@dataclass(frozen=True)
class Failure:
    """An exception on its way from a worker to the driver; exceptions may not be picklable.

    `gist`: what it says and where; `errno`, `details`: as in TaskError.
    """

    gist: str
    errno: int | None
    details: str

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """What is to be told of an exception that was caught."""
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        gist = f"{type(error).__name__}: {error} ({where})"
        expected = isinstance(error, ValueError | OSError)
        details = "" if expected else "".join(traceback.format_exception(error))
        return cls(gist, getattr(error, "errno", None), details)

    def raise_for(self, task: Task) -> None:
        """Raise it in the driver as a TaskError."""
        raise TaskError(f"{task.label}: {self.gist}", errno=self.errno, details=self.details)


class Runner(Protocol):
    """Runs `function(task, report)` for each task and yields (task, result) as they come."""

    def run(
        self,
        function: Callable[[T, Report], R],
        tasks: Sequence[T],
        on_rows: Callable[[T, int], None],
    ) -> Iterator[tuple[T, R]]:
        """Raise TaskError when a task fails; the others are stopped by closing the runner."""
        ...


class InlineRunner:
    """Runs tasks one after the other in this process."""

    def run(
        self,
        function: Callable[[T, Report], R],
        tasks: Sequence[T],
        on_rows: Callable[[T, int], None],
    ) -> Iterator[tuple[T, R]]:
        """See `Runner.run`."""
        for task in tasks:
            try:
                result = function(task, lambda rows, task=task: on_rows(task, rows))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            except Exception as error:
                Failure.of(error).raise_for(task)
            else:
                yield task, result


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    task: Any = None


class ProcessRunner:
    """Runs tasks in up to `workers` processes, started when first needed and kept until the end.

    A context manager: leaving it ends the processes, finished or not. Processes are spawned, so a
    script that calls it must be guarded by `if __name__ == "__main__"`.
    """

    def __init__(self, workers: int) -> None:
        self._limit = workers
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(STOP_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.connection.close()
        self._workers.clear()

    def run(
        self,
        function: Callable[[T, Report], R],
        tasks: Sequence[T],
        on_rows: Callable[[T, int], None],
    ) -> Iterator[tuple[T, R]]:
        """See `Runner.run`."""
        waiting = list(reversed(tasks))
        while len(self._workers) < min(self._limit, len(tasks)):
            self._workers.append(_start_worker())
        for worker in self._workers:
            _give(worker, function, waiting)
        while busy := {worker.connection: worker for worker in self._workers if worker.task}:
            for ready in wait(list(busy)):
                worker = busy[ready]  # type: ignore[index]  # only connections were waited for
                kind, value = _receive(worker)
                if kind == "rows":
                    on_rows(worker.task, value)
                elif kind == "failure":
                    value.raise_for(worker.task)
                else:
                    task = worker.task
                    # The next task first: the worker computes while the driver records.
                    _give(worker, function, waiting)
                    yield task, value


def _give(worker: _Worker, function: Callable[..., Any], waiting: list[Any]) -> None:
    worker.task = waiting.pop() if waiting else None
    if worker.task is not None:
        with suppress(BrokenPipeError):  # it died: `_receive` says so, with its exit code
            worker.connection.send((function, worker.task))


def _receive(worker: _Worker) -> tuple[str, Any]:
    try:
        message: tuple[str, Any] = worker.connection.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join(STOP_SECONDS)
        code = worker.process.exitcode
        if code == -signal.SIGTERM:  # meant for all of us, and it was faster there
            raise KeyboardInterrupt from None
        if code is not None and code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
            how += " (out of memory?)" if -code == signal.SIGKILL else ""
        else:
            how = f"ended with exit code {code}"
        raise TaskError(f"{worker.task.label}: its worker process {how}") from None
    return message


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Start children with SIGINT blocked: Ctrl-C reaches the whole group, the driver decides."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Started with the first child otherwise, and it unblocks the signal again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True, name="mgld-worker")
    with _interrupts_held_back():
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _serve(connection: Connection) -> None:
    """Body of a worker: take tasks until the driver closes the pipe."""
    stay_with_parent()
    while True:
        try:
            function, task = connection.recv()
        except EOFError:
            return
        try:
            result = function(task, lambda rows: connection.send(("rows", rows)))
            connection.send(("result", result))
        except Exception as error:
            connection.send(("failure", Failure.of(error)))


@contextmanager
def local_runner(workers: int) -> Iterator[Runner]:
    """The runner for so many local workers; one means this process itself."""
    if workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    if workers == 1:
        yield InlineRunner()
        return
    with ProcessRunner(workers) as runner:
        yield runner
