"""Which samples a step trains on: grouped by modality and length, the same for every world size.

A **global batch** is the samples of one optimizer step, over all processes and accumulation steps.
Its rows depend on the seed, the epoch, the rows and its size alone; how they are shared out depends
on the processes. So one process and two see the same global batches, and a run may go on with
another number of processes.

One epoch:

1. The rows of each modality (with image, text only) are shuffled by a generator of their own.
2. They are cut into groups of `GROUP` global batches, each group is sorted by length, longest
   first, and cut into global batches: alike in length and modality.
3. What does not fill a global batch in a modality is pooled, sorted by length and cut into mixed
   global batches. What does not fill one even then, fewer rows than a global batch, is left out of
   this epoch; other rows are in the next. No row is repeated and no batch is padded.
4. The global batches are shuffled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mgld.keyed import digest
from mgld.schema import Record

GROUP = 50
"""Global batches that are sorted together, as in transformers' LengthGroupedSampler."""

Rows = npt.NDArray[np.int64]


class Cursor(Record):
    """Where training stands: `step` global batches of `epoch` are done.

    The rest binds it to its sampler: going on with other rows or another order is refused.
    """

    epoch: int = Field(0, ge=0)
    step: int = Field(0, ge=0)
    seed: int
    global_batch: int
    rows: int
    rows_hash: str


class GroupedSampler:
    """Global batches over `rows` of a store.

    `rows` int64 [N]: the rows to train on; `lengths` int32 [store rows], `has_image` bool
    [store rows]: of all rows of the store. `order`: `grouped`, or `shuffled` (one shuffle over all
    rows, what grouping is measured against).

    ValueError: fewer rows than a global batch.
    """

    def __init__(
        self,
        rows: Rows,
        lengths: npt.NDArray[np.int32],
        has_image: npt.NDArray[np.bool_],
        *,
        global_batch: int,
        seed: int,
        order: Literal["grouped", "shuffled"] = "grouped",
    ) -> None:
        if len(rows) < global_batch:
            raise ValueError(f"{len(rows)} rows do not fill one global batch of {global_batch}")
        self.rows = np.asarray(rows, np.int64)
        self.global_batch = global_batch
        self.seed = seed
        self.order = order
        self._lengths = lengths[self.rows]
        self._has_image = has_image[self.rows]
        content = hashlib.sha256(order.encode())
        for part in (self.rows, self._lengths.astype("<i8"), self._has_image):
            content.update(part.astype("<i8").tobytes())
        self._rows_hash = content.hexdigest()

    @property
    def steps(self) -> int:
        """Global batches of an epoch."""
        return len(self.rows) // self.global_batch

    @property
    def left_out(self) -> int:
        """Rows that an epoch leaves out: fewer than a global batch."""
        return len(self.rows) % self.global_batch

    def global_batches(self, epoch: int) -> Rows:
        """int64 [steps, global_batch]: the rows of each global batch, longest first in each."""
        if self.order == "shuffled":
            everything = self._shuffled(np.arange(len(self.rows)), epoch, "all")
            batches = everything[: self.steps * self.global_batch].reshape(self.steps, -1)
            batches = np.stack([self._longest_first(batch) for batch in batches])
        else:
            batches = self._grouped(epoch)
        order = _permutation(len(batches), self.seed, "batches", epoch)
        result: Rows = self.rows[batches[order]]
        return result

    def order_hash(self, epoch: int) -> str:
        """Hex SHA-256 of an epoch's global batches: two runs with the same hash saw the same."""
        return hashlib.sha256(self.global_batches(epoch).astype("<i8").tobytes()).hexdigest()

    def cursor(self, epoch: int = 0, step: int = 0) -> Cursor:
        """The place after `step` global batches of `epoch`; after the last: the next epoch's 0."""
        return Cursor(
            epoch=epoch + step // self.steps,
            step=step % self.steps,
            seed=self.seed,
            global_batch=self.global_batch,
            rows=len(self.rows),
            rows_hash=self._rows_hash,
        )

    def check(self, cursor: Cursor) -> None:
        """ValueError, saying what differs: the cursor is not of this sampler."""
        mine = self.cursor(cursor.epoch, cursor.step)
        for field, what in {
            "seed": "seed",
            "global_batch": "global batch",
            "rows": "number of rows",
            "rows_hash": "rows (their numbers, lengths or images) or their order",
        }.items():
            there, here = getattr(cursor, field), getattr(mine, field)
            if there != here:
                raise ValueError(f"cannot resume: the {what} was {there} and is now {here}")
        if mine.step != cursor.step:
            raise ValueError(f"cannot resume at step {cursor.step} of {self.steps}")

    def _grouped(self, epoch: int) -> Rows:
        size = self.global_batch
        batches, rest = [], []
        for modality, mask in (("image", self._has_image), ("text", ~self._has_image)):
            rows = self._shuffled(np.flatnonzero(mask), epoch, modality)
            whole = len(rows) // size * size
            rest.append(rows[whole:])
            for first in range(0, whole, GROUP * size):
                group = self._longest_first(rows[first : min(first + GROUP * size, whole)])
                batches.append(group.reshape(-1, size))
        pool = self._shuffled(np.concatenate(rest), epoch, "pool")
        pool = self._longest_first(pool[: len(pool) // size * size])
        return np.concatenate([*batches, pool.reshape(-1, size)])

    def _shuffled(self, rows: Rows, epoch: int, purpose: str) -> Rows:
        shuffled: Rows = rows[_permutation(len(rows), self.seed, purpose, epoch)]
        return shuffled

    def _longest_first(self, rows: Rows) -> Rows:
        ordered: Rows = rows[np.argsort(-self._lengths[rows].astype(np.int64), kind="stable")]
        return ordered


def micro_batches(batch: Rows, *, rank: int, world_size: int, micro_batch: int) -> list[Rows]:
    """The micro-batches of one process: `accumulation` arrays int64 [micro_batch].

    A global batch is longest first; each accumulation step takes the next world_size * micro_batch
    rows and deals them out in turn, so that processes wait for each other as little as may be.

    ValueError: the global batch is not a multiple of world_size * micro_batch.
    """
    together = world_size * micro_batch
    if len(batch) % together:
        raise ValueError(
            f"a global batch of {len(batch)} does not divide into {world_size} processes x "
            f"micro-batches of {micro_batch}"
        )
    return [
        batch[first : first + together][rank::world_size]
        for first in range(0, len(batch), together)
    ]


def steps_from(sampler: GroupedSampler, cursor: Cursor, epochs: int) -> Iterator[Rows]:
    """The global batches from `cursor` to the end of the last of `epochs` epochs."""
    sampler.check(cursor)
    for epoch in range(cursor.epoch, epochs):
        start = cursor.step if epoch == cursor.epoch else 0
        yield from sampler.global_batches(epoch)[start:]


def _permutation(number: int, seed: int, purpose: str, epoch: int) -> Rows:
    # Raw output of a counter-based generator: fixed by its definition, where the permutations of
    # numpy's generators may differ between versions.
    key = int.from_bytes(digest(seed, f"order of {purpose}", epoch)[:16], "big")
    draws = np.random.Philox(key=key).random_raw(number)
    order: Rows = np.argsort(draws, kind="stable")
    return order
