"""Work on images while the model computes: a map over threads that keeps the order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")


def preparing_threads(device: str) -> int:
    """Threads that should prepare images for a model on `device`: every core feeds a GPU.

    On the CPU none: model and decoder want the same cores.
    """
    if not device.startswith("cuda"):
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def in_order(
    function: Callable[[T], R], items: Iterable[T], *, threads: int, ahead: int
) -> Iterator[R]:
    """`map(function, items)` with up to `ahead` items under way in `threads` threads.

    Items are asked for in the caller's thread, results come in their order, so what comes does not
    depend on the threads. With none, `function` is called when its result is asked for. What it
    raises is raised in its turn. Threads help where `function` leaves the interpreter to others, as
    the decoders of Pillow and the operators of torch do.
    """
    if threads == 0:
        yield from map(function, items)
        return
    from concurrent.futures import ThreadPoolExecutor

    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="mgld-prepare")
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
