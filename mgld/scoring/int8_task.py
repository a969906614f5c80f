"""Some images against all names in bytes: the work of one thread, which pauses to hand on pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgld.scoring.distinct import DistinctNames
from mgld.scoring.engine import Sifted
from mgld.scoring.int8_pack import PackedNames, pack_images
from mgld.scoring.int8_quantise import Turn
from mgld.scoring.int8_sift import FLOOR, HIGH, LOW, NO_FLOOR, SLACK, sift_panels
from mgld.scoring.int8_tile import PANEL

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

LIST_PAIRS = 1 << 19  # pairs that a task gathers before it hands them on


@dataclass(frozen=True)
class Names:
    """The names as all tasks use them. weights int64 [U]; a, b: the centres of images and names."""

    names: DistinctNames
    weights: Int64
    packed: PackedNames
    turn: Turn
    a: Float32
    b: Float32


@dataclass(frozen=True)
class Found:
    """What `Task.advance` found about its n images: as `Sifted`, rows counted from its first.

    near and top are int32 [*, 2]: half as much to keep until it is its turn to be used.
    """

    above: Int64
    near: NDArray[np.int32]
    top: NDArray[np.int32]

    def among(self, start: int, total: int) -> Sifted:
        """The same about `total` images, of which the task's begin at `start`."""
        above = np.zeros(total, dtype=np.int64)
        above[start : start + len(self.above)] = self.above
        return Sifted(above, _columns(self.near, start), _columns(self.top, start))


class Task:
    """n images, float32 [n, d], with own_sim float64 [n], and `count` best names to be found."""

    def __init__(self, names: Names, images: Float32, own_sim: Float64, count: int) -> None:
        self._names = names
        self._images = np.ascontiguousarray(images)
        self._own_sim = np.ascontiguousarray(own_sim)
        self._best = np.full((len(images), count), -np.inf)
        self._panel = 0
        self.looked = 0  # pairs that needed a closer look

    @property
    def done(self) -> bool:
        """Whether all names have been seen."""
        return self._panel == len(self._names.packed.facts)

    def advance(self) -> Found:
        """Go on until a list of pairs is full, or to the end."""
        names, images = self._names, self._images
        if self._panel == 0:
            self._prepare()
        above = np.zeros(len(images), dtype=np.int64)
        # Untouched, so not in memory, but for what is written.
        capacity = max(LIST_PAIRS, len(images) * PANEL)
        near = np.empty((capacity, 2), dtype=np.int32)
        top = np.empty((capacity, 2), dtype=np.int32)
        top_high = np.empty(capacity)
        state = np.array([self._panel, 0, 0, 0])
        packed, of_names = self._packed, names.packed
        sift_panels(
            packed.tiles,
            packed.facts,
            packed.digits,
            packed.lengths,
            packed.sums,
            self._shift,
            self._own_sim,
            names.weights,
            of_names.tiles,
            of_names.facts,
            of_names.digits,
            of_names.lengths,
            self._best,
            above,
            near,
            top,
            top_high,
            state,
        )
        self._panel = int(state[0])
        self.looked += int(state[3])
        return Found(above, near[: state[1]].copy(), top[: state[2]].copy())

    def _prepare(self) -> None:
        names, images = self._names, self._images
        self._packed = pack_images(images, names.turn, names.a)
        a, b = names.a.astype(np.float64), names.b.astype(np.float64)
        # Sim = <u, v> + <a, y> + shift: equation (1) of `int8_quantise`.
        self._shift = images.astype(np.float64) @ b - float(a @ b)
        facts = self._packed.facts[: len(images)]
        # Twice the slack: for the arithmetic of `tile`, and for rounding these to float32.
        facts[:, LOW] = self._own_sim - self._shift - 2 * SLACK
        facts[:, HIGH] = self._own_sim - self._shift + 2 * SLACK
        facts[:, FLOOR] = NO_FLOOR


def _columns(pairs: NDArray[np.int32], start: int) -> tuple[Int64, Int64]:
    return pairs[:, 0].astype(np.int64) + start, pairs[:, 1].astype(np.int64)
