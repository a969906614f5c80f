"""The "faiss" backend: exhaustive IndexFlatIP, one index per block of names.

Nearest names: `search` with a few more than asked, and more still while a name that was not
returned could belong to them. Ranks: `range_search`, which returns only what is above a radius;
`search` with k = block size would sort every block. FAISS takes one radius for all queries of a
call, so images come sorted by their own similarity, and a call's radii differ little. Blocks of
names bound the memory of the hits, which for an image of low RSR are most of the names.
"""

from __future__ import annotations

from collections.abc import Iterator

import faiss
import numpy as np
from numpy.typing import NDArray

from mgld.scoring.distinct import DistinctNames
from mgld.scoring.engine import NAME_BLOCK, Sifted, best_of, thresholds, top_floor
from mgld.scoring.exact import float32_error_bound

_SPARE = 16  # names searched for beyond those asked: enough where few are within the error bound

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


class FaissEngine:
    """IndexFlatIP over blocks of names; holds one copy of the names."""

    image_block = 256
    sorted_by_own = True

    def __init__(self, names: DistinctNames) -> None:
        dim = names.names.shape[1]
        self._bound = float32_error_bound(dim)
        self._weights = names.weights
        self._indexes = []
        for start in range(0, len(names), NAME_BLOCK):
            index = faiss.IndexFlatIP(dim)
            block = names.block(start, min(start + NAME_BLOCK, len(names)))
            index.add(np.ascontiguousarray(block))
            self._indexes.append((start, index))

    def sift(
        self, images: NDArray[np.float32], own_sim: NDArray[np.float64], count: int
    ) -> Iterator[Sifted]:
        """See `engine.Engine.sift`."""
        low, high = thresholds(own_sim, self._bound)
        best = np.full((len(images), count), -np.inf, dtype=np.float32)
        for start, index in self._indexes:
            sims, found = index.search(images, min(count + _SPARE, index.ntotal))
            best = best_of(best, sims)
            floor = top_floor(best[:, 0], self._bound)
            rows, columns = _complete(index, images, sims, found, floor)
            above, near = self._around_own(index, start, images, low, high)
            yield Sifted(above=above, near=near, top=(rows, columns + start))

    def _around_own(
        self,
        index: faiss.IndexFlatIP,
        start: int,
        images: NDArray[np.float32],
        low: NDArray[np.float32],
        high: NDArray[np.float32],
    ) -> tuple[NDArray[np.int64], Pairs]:
        """Weights of the names above `high` and pairs between `low` and `high`, in one block."""
        # range_search wants strictly more than the radius.
        radius = np.nextafter(low.min(), np.float32(-np.inf))
        limits, sims, columns = index.range_search(images, float(radius))
        rows = np.repeat(np.arange(len(images)), (limits[1:] - limits[:-1]).astype(np.int64))
        columns += start
        is_above = sims > high[rows]
        # bincount sums weights in float64: exact, as they are far below 2^53.
        above = np.bincount(
            rows[is_above], weights=self._weights[columns[is_above]], minlength=len(images)
        ).astype(np.int64)
        near = ~is_above & (sims >= low[rows])
        return above, (rows[near], columns[near])


def _complete(
    index: faiss.IndexFlatIP,
    images: NDArray[np.float32],
    sims: NDArray[np.float32],
    found: NDArray[np.int64],
    floor: NDArray[np.float32],
) -> Pairs:
    """Pairs with similarity >= floor, searching on for images that may have more than was found."""
    all_rows: list[NDArray[np.int64]] = []
    all_columns: list[NDArray[np.int64]] = []
    todo = np.arange(len(images))
    while True:
        # The last one found is below the floor: no other can be at or above it.
        done = (sims[:, -1] < floor[todo]) | (sims.shape[1] == index.ntotal)
        rows, places = np.nonzero(done[:, None] & (sims >= floor[todo, None]))
        all_rows.append(todo[rows])
        all_columns.append(found[rows, places])
        todo = todo[~done]
        if len(todo) == 0:
            return np.concatenate(all_rows), np.concatenate(all_columns)
        sims, found = index.search(images[todo], min(4 * sims.shape[1], index.ntotal))
