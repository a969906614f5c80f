"""The names without repeated vectors, so that a vector is never compared twice."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]

_BLOCK_ELEMENTS = 1 << 20


@dataclass(frozen=True)
class DistinctNames:
    """N names of which U have different vectors, numbered in order of their first rows.

    names float32 [N, d], as given: nothing of it is copied. first int64 [U]: the first row of a
    vector. group int64 [N]: which vector a row has. rows int64 [N] and starts int64 [U + 1]: the
    rows of vector u, ascending, are rows[starts[u]:starts[u + 1]].
    """

    names: Float32
    first: Int64
    group: Int64
    rows: Int64
    starts: Int64

    def __len__(self) -> int:
        """U, the number of different vectors."""
        return len(self.first)

    @property
    def weights(self) -> Int64:
        """int64 [U]: how many names have the vector."""
        return np.diff(self.starts)

    def block(self, start: int, stop: int) -> Float32:
        """The vectors start to stop, float32 [stop - start, d]; a view where no repeat is between.

        0 <= start < stop <= U.
        """
        rows = self.first[start:stop]
        if rows[-1] - rows[0] == len(rows) - 1:
            return self.names[rows[0] : rows[-1] + 1]
        return self.names[rows]


def distinct(names: Float32) -> DistinctNames:
    """Group names float32 [N, d] by the bytes of their vectors."""
    first, group = _group(names)
    return DistinctNames(
        names=names,
        first=first,
        group=group,
        rows=np.argsort(group, kind="stable"),
        starts=np.concatenate([[0], np.cumsum(np.bincount(group))]),
    )


def _group(names: Float32) -> tuple[Int64, Int64]:
    """int64 [U] first rows, ascending, and int64 [N] numbers; by a quick hash, then by bytes."""
    _, first, group = np.unique(_hashes(names), return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    first, group = first[order], number[group]
    repeats = np.flatnonzero(first[group] != np.arange(len(names)))
    step = max(1, _BLOCK_ELEMENTS // names.shape[1])
    for start in range(0, len(repeats), step):
        rows = repeats[start : start + step]
        if (_bits(names[rows]) != _bits(names[first[group[rows]]])).any():
            return _group_by_bytes(names)  # different vectors with one hash
    return first, group


def _bits(rows: Float32) -> NDArray[np.uint32]:
    """The bit patterns uint32 [n, d] of rows float32 [n, d]: -0.0 is not 0.0."""
    return np.ascontiguousarray(rows).view(np.uint32)


def _hashes(names: Float32) -> UInt64:
    """uint64 [N]: sums of the elements' bits times odd constants, modulo 2^64."""
    factors = np.random.default_rng(0).integers(0, 2**63, names.shape[1], np.uint64) * 2 + 1
    hashes = np.empty(len(names), dtype=np.uint64)
    step = max(1, _BLOCK_ELEMENTS // names.shape[1])
    for start in range(0, len(names), step):
        bits = _bits(names[start : start + step]).astype(np.uint64)
        hashes[start : start + step] = bits @ factors
    return hashes


def _group_by_bytes(names: Float32) -> tuple[Int64, Int64]:
    """As `_group`, row by row with a hash that does not collide."""
    first: list[int] = []
    group = np.empty(len(names), dtype=np.int64)
    seen: dict[bytes, int] = {}
    for row, vector in enumerate(names):
        digest = blake2b(vector.tobytes(), digest_size=32).digest()
        number = seen.setdefault(digest, len(first))
        if number == len(first):
            first.append(row)
        group[row] = number
    return np.array(first, dtype=np.int64), group
