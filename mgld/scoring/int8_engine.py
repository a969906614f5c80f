"""The "cpu" backend where the processor multiplies bytes fast: see docs/scoring.md."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from mgld.scoring.distinct import DistinctNames
from mgld.scoring.engine import Sifted
from mgld.scoring.exact_compiled import exact_unit_pairs
from mgld.scoring.int8_pack import pack_names
from mgld.scoring.int8_quantise import turn_for
from mgld.scoring.int8_task import Found, Names, Task

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

TASK_IMAGES = 384  # of one thread at a time: their bytes stay in its cache beside a panel of names
MOST_IMAGES = 16384  # of a block, which is copied, unless that leaves threads without a task
_SAMPLE = 4096  # rows that a centre is the mean of


class Int8Engine:
    """Bytes first, float32 for what they leave open; holds the names in bytes.

    As many threads T as torch uses (`torch.set_num_threads`, OMP_NUM_THREADS). images: those to
    come, of which a sample is read. The lists of pairs of T + 2 tasks at most are held at a time.
    """

    sorted_by_own = False

    def __init__(self, names: DistinctNames, images: Float32) -> None:
        if names.names.strides[1] != 4:
            names = replace(names, names=np.ascontiguousarray(names.names))
        self._threads = torch.get_num_threads()
        tasks = min(8 * self._threads, max(self._threads, MOST_IMAGES // TASK_IMAGES))
        self.image_block = tasks * TASK_IMAGES
        turn = turn_for(names.names.shape[1])
        a, b = _centre(images), _centre(names.names)
        with ThreadPoolExecutor(self._threads) as pool:
            packed = pack_names(names, turn, a, b, pool)
        self._names = Names(names, names.weights, packed, turn, a, b)

    def sift(self, images: Float32, own_sim: Float64, count: int) -> Iterator[Sifted]:
        """See `engine.Engine.sift`; several parts of the images at a time, each in its thread."""
        tasks = self._tasks(images, own_sim, count)
        with ThreadPoolExecutor(self._threads) as pool:
            running: dict[Future[Found], tuple[Task, int]] = {}

            def submit(task: Task, start: int) -> None:
                running[pool.submit(task.advance)] = task, start

            # One more than there are threads, so that none waits for this one.
            for task, start in islice(tasks, self._threads + 1):
                submit(task, start)
            while running:
                ready = list(wait(running, return_when=FIRST_COMPLETED).done)
                while ready:
                    future = ready.pop()
                    task, start = running.pop(future)
                    found = future.result()
                    following = next(tasks, None) if task.done else (task, start)
                    if following is not None:
                        submit(*following)
                    yield found.among(start, len(images))

    def _tasks(self, images: Float32, own_sim: Float64, count: int) -> Iterator[tuple[Task, int]]:
        """The images in parts, as many for each thread: tasks, made as they are asked for."""
        parts = -(-len(images) // (TASK_IMAGES * self._threads)) * self._threads
        edges = np.linspace(0, len(images), parts + 1).astype(int)
        for start, stop in pairwise(edges):
            if start < stop:
                yield Task(self._names, images[start:stop], own_sim[start:stop], count), int(start)

    def exact_sims(self, images: Float32, rows: Int64, columns: Int64) -> Float64:
        """See `engine.SumsExactly`."""
        names = self._names.names
        return exact_unit_pairs(images, rows, names.names, names.first[columns])


def _centre(vectors: Float32) -> Float32:
    """float32 [d]: the mean of rows spread over the vectors. Any vector would do for exactness."""
    rows = vectors[:: max(1, len(vectors) // _SAMPLE)]
    if len(rows) == 0:
        return np.zeros(vectors.shape[1], dtype=np.float32)
    mean: Float32 = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean
