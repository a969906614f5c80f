"""Tasks on a Ray cluster: one actor a worker, as many as fit; see `mgld.build.runner`.

A worker that dies, alone or with its machine, is replaced and its task given to another. A task
whose workers die again and again stops the run with its name. Workers end with the driver: Ray ends
the actors of a driver that is gone.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from mgld.build.environment import environment
from mgld.build.ray_worker import RayWorker
from mgld.build.runner import R, Report, T, TaskError

ADDRESS_PREFIX = "ray://"
MAX_DEATHS = 3
ROWS_SECONDS = 2.0
CLOSE_SECONDS = 5.0


@dataclass(eq=False)
class _Worker:
    """An actor, and what it was asked: its task, or None while it starts or waits."""

    actor: Any
    task: Any = None
    ready: bool = False
    rows: int = 0
    """Of the task, as far as they were told."""


class RayRunner:
    """Runs tasks in actors of a cluster that this process is connected to.

    `limit`: how many at most; None: as many as the cluster has room for. `cpus`, `gpus`: of each.
    """

    def __init__(self, *, limit: int | None, cpus: int, gpus: int) -> None:
        self._limit = limit
        self._cpus = cpus
        self._gpus = gpus
        self._workers: list[_Worker] = []
        self._calls: dict[Any, _Worker] = {}
        self._deaths_at_start = 0

    def room(self) -> int:
        """Workers that the cluster has room for, at most `limit`.

        ValueError where it could not hold a single one.
        """
        import ray

        there = ray.cluster_resources()
        room = int(there.get("CPU", 0)) // self._cpus
        if self._gpus:
            room = min(room, int(there.get("GPU", 0)) // self._gpus)
        if room == 0:
            needs = f"{self._cpus} CPU" + (f" and {self._gpus} GPU" if self._gpus else "")
            raise ValueError(
                f"no machine of the Ray cluster has the {needs} that a worker needs: it has "
                f"{there.get('CPU', 0):g} CPUs and {there.get('GPU', 0):g} GPUs"
            )
        return room if self._limit is None else min(room, self._limit)

    def run(
        self,
        function: Callable[[T, Report], R],
        tasks: Sequence[T],
        on_rows: Callable[[T, int], None],
    ) -> Iterator[tuple[T, R]]:
        """See `Runner.run`."""
        import ray

        waiting = deque(tasks)
        deaths: Counter[str] = Counter()
        left = len(tasks)
        while left and len(self._workers) < min(self.room(), left):
            self._start()
        for worker in self._workers:
            if worker.ready:
                self._give(worker, function, waiting)
        asked = time.monotonic()
        while left:
            done, _ = ray.wait(list(self._calls), num_returns=1, timeout=ROWS_SECONDS)
            for call in done:
                worker = self._calls.pop(call)
                answer = self._answer(call, worker, waiting, deaths)
                if answer is None:  # it started, or it died
                    self._give_all(function, waiting)
                    continue
                kind, value, rows = answer
                task = worker.task
                if kind == "failure":
                    value.raise_for(task)
                if rows > worker.rows:
                    on_rows(task, rows - worker.rows)
                # The next task first: the worker computes while the driver records.
                self._give(worker, function, waiting)
                left -= 1
                yield task, value
            if time.monotonic() - asked >= ROWS_SECONDS:
                self._ask_rows(on_rows)
                asked = time.monotonic()

    def close(self) -> None:
        """End the workers, finished or not."""
        import ray

        with suppress(Exception):  # the cluster may be gone, and then so are they
            asked = [worker.actor.close.remote() for worker in self._workers]
            ray.wait(asked, num_returns=len(asked), timeout=CLOSE_SECONDS)
        for worker in self._workers:
            with suppress(Exception):
                ray.kill(worker.actor)
        self._workers.clear()
        self._calls.clear()

    def _start(self) -> None:
        import ray

        options = ray.remote(RayWorker).options(
            num_cpus=self._cpus,
            num_gpus=self._gpus,
            max_concurrency=2,  # `rows` beside `serve`
            scheduling_strategy="SPREAD",
        )
        worker = _Worker(options.remote())
        self._workers.append(worker)
        self._calls[worker.actor.who.remote()] = worker

    def _give_all(self, function: Callable[..., Any], waiting: deque[Any]) -> None:
        for worker in self._workers:
            if worker.ready and worker.task is None:
                self._give(worker, function, waiting)

    def _give(self, worker: _Worker, function: Callable[..., Any], waiting: deque[Any]) -> None:
        worker.task, worker.rows = (waiting.popleft() if waiting else None), 0
        if worker.task is not None:
            self._calls[worker.actor.serve.remote(function, worker.task)] = worker

    def _answer(
        self, call: Any, worker: _Worker, waiting: deque[Any], deaths: Counter[str]
    ) -> tuple[str, Any, int] | None:
        """What a task came to; None where the worker has only started, or died and is replaced."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            value = ray.get(call)
        except RayTaskError as error:  # not of the task: what the worker does catches that
            label = worker.task.label if worker.task else "a Ray worker"
            raise TaskError(f"{label}: {error.cause}", details=str(error)) from error
        except RayError as error:
            self._bury(worker, waiting, deaths, error)
            return None
        if worker.ready:
            answer: tuple[str, Any, int] = value
            return answer
        _require_same(*value)
        worker.ready = True
        self._deaths_at_start = 0
        return None

    def _bury(
        self, worker: _Worker, waiting: deque[Any], deaths: Counter[str], error: Exception
    ) -> None:
        """Start another worker in place of one that died; its task is the next to be given."""
        import ray

        gist = " ".join(str(error).split())[:500]
        self._workers.remove(worker)
        with suppress(Exception):  # it may only be out of reach
            ray.kill(worker.actor)
        if worker.task is not None:
            label = worker.task.label
            deaths[label] += 1
            if deaths[label] >= MAX_DEATHS:
                raise TaskError(
                    f"{label}: its worker died {MAX_DEATHS} times (out of memory?); Ray says of "
                    f"the last time: {gist}"
                )
            waiting.appendleft(worker.task)
        elif not worker.ready:
            self._deaths_at_start += 1
            if self._deaths_at_start >= MAX_DEATHS:
                raise TaskError(f"Ray workers die when they start; Ray says: {gist}")
        self._start()

    def _ask_rows(self, on_rows: Callable[[Any, int], None]) -> None:
        """Tell the rows that busy workers have done meanwhile; who does not answer tells later."""
        import ray

        busy = [worker for worker in self._workers if worker.task is not None]
        asked = {worker.actor.rows.remote(): worker for worker in busy}
        if not asked:
            return
        answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0.5)
        for call in answered:
            worker = asked[call]
            with suppress(Exception):  # it died: its task says so
                rows = ray.get(call)
                if rows > worker.rows:
                    on_rows(worker.task, rows - worker.rows)
                    worker.rows = rows


def _require_same(host: str, theirs: dict[str, str]) -> None:
    """ValueError where a worker's versions are not the driver's: its vectors might differ too."""
    ours = environment()
    other = [name for name in ours if theirs.get(name) != ours[name]]
    if other:
        told = ", ".join(f"{name} {theirs.get(name)} (here {ours[name]})" for name in other)
        raise ValueError(
            f"the Ray worker on {host} runs {told}; install the same versions on every machine"
        )


@contextmanager
def ray_runner(
    spec: str, *, limit: int | None, device: str, threads: int
) -> Iterator[tuple[RayRunner, str]]:
    """A runner on the cluster of `spec`, and a line that says what it is.

    spec: `ray` for the cluster that RAY_ADDRESS names or that this machine is part of, else one of
    this machine alone; `ray://HOST:PORT` for another's, through Ray's client server. A `device`
    that is CUDA's gives each worker a GPU of its own, `threads` as many CPUs.

    ValueError: Ray is not installed, a `device` with a number, a cluster without such machines.
    ConnectionError: nothing answers there.
    """
    if ":" in device:
        raise ValueError(f"--device {device}: on Ray say cuda, each worker gets a GPU of its own")
    ray = _import_ray()
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, spec)
    runner = RayRunner(limit=limit, cpus=threads, gpus=int(device == "cuda"))
    try:
        machines = sum(node["Alive"] for node in ray.nodes())
        plural = "" if machines == 1 else "s"
        yield runner, f"ray: {machines} machine{plural}, {runner.room()} workers"
    finally:
        runner.close()
        if ours:
            ray.shutdown()


def _import_ray() -> Any:
    # Before the import: Ray reports usage to its makers unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise ValueError(
            "--runner ray needs Ray: install mgld with its extra `ray` "
            "(or: pip install 'ray[client]')"
        ) from None
    return ray


def _connect(ray: Any, spec: str) -> None:
    """Connect to a cluster; Ray's handler of SIGTERM, which ends the process, is undone."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if main else None
    quiet = {"log_to_driver": False, "configure_logging": False}
    try:
        if spec.startswith(ADDRESS_PREFIX):
            ray.init(spec, **quiet)
            return
        try:
            ray.init(os.environ.get("RAY_ADDRESS", "auto"), **quiet)
        except ConnectionError:
            if "RAY_ADDRESS" in os.environ:
                raise
            ray.init("local", include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
    except (ConnectionError, TimeoutError) as error:
        gist = " ".join(str(error).split())[:300]
        raise ConnectionError(f"no Ray cluster answers at {spec}: {gist}") from error
    finally:
        if main and before is not None:
            signal.signal(signal.SIGTERM, before)
