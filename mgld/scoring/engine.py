"""What a fast backend owes the exact recheck: sift the names by float32 similarities.

An engine decides only what the error bound of `exact.float32_error_bound` proves, and hands every
other pair on. `blocked.py` then decides those exactly, in one way for all engines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

NAME_BLOCK = 8192


@dataclass(frozen=True)
class Sifted:
    """One block of names, seen by B images. Pairs are (image row in the block, name row).

    above int64 [B]: how many names (by weight) are certainly higher than the own similarity.
    near: pairs that may be on either side of it; all others are certainly lower.
    top: pairs that may be among the best `count`; over all blocks they include all of those.
    """

    above: NDArray[np.int64]
    near: tuple[NDArray[np.int64], NDArray[np.int64]]
    top: tuple[NDArray[np.int64], NDArray[np.int64]]


class Engine(Protocol):
    """A fast way to look at every pair of images and names.

    Built from `DistinctNames`: the names below are their U vectors, each counted by its weight,
    the number of candidates that share it. image_block: images per call of `sift`. sorted_by_own:
    whether it is faster when the images of a block have similar own similarities.
    """

    image_block: int
    sorted_by_own: bool

    def sift(
        self, images: NDArray[np.float32], own_sim: NDArray[np.float64], count: int
    ) -> Iterator[Sifted]:
        """Sift all names for images float32 [B, d] with own_sim float64 [B], block by block."""
        ...


@runtime_checkable
class SumsExactly(Protocol):
    """An engine that computes `exact.exact_sim_pairs` itself, to the same bits."""

    def exact_sims(
        self, images: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Sim float64 [n] of images[rows[i]], of float32 [B, d], and the names columns[i]."""
        ...


def thresholds(
    own_sim: NDArray[np.float64], bound: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """float32 (low, high): s > high proves Sim > own_sim, s < low proves Sim < own_sim.

    s > own_sim + bound proves the one, s < own_sim - bound the other; the step outwards makes up
    for the rounding to float32.
    """
    low = np.nextafter((own_sim - bound).astype(np.float32), np.float32(-np.inf))
    high = np.nextafter((own_sim + bound).astype(np.float32), np.float32(np.inf))
    return low, high


def top_floor(kth_best: NDArray[np.float32], bound: float) -> NDArray[np.float32]:
    """float32 [B]: a name with s < floor is not among the best k.

    k names have s >= kth_best, hence Sim >= kth_best - bound; s < kth_best - 2 bound proves
    Sim < kth_best - bound, strictly below k names.
    """
    floor = (kth_best.astype(np.float64) - 2 * bound).astype(np.float32)
    return np.nextafter(floor, np.float32(-np.inf))


def best_of(best: NDArray[np.float32], more: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest K of each row of float32 [B, K] and float32 [B, *], the K-th in column 0."""
    count = best.shape[1]
    both = np.concatenate([best, more], axis=1)
    return np.partition(both, both.shape[1] - count, axis=1)[:, -count:]
