"""The "cpu" and "cuda" backends: dense blocks of similarities, compared in place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from mgld.scoring.distinct import DistinctNames
from mgld.scoring.engine import NAME_BLOCK, Sifted, best_of, thresholds, top_floor
from mgld.scoring.exact import float32_error_bound


class DenseEngine:
    """Blocks of images times blocks of names, on the CPU or one GPU.

    The CPU product is NumPy's: always full float32 (torch may be set to use bfloat16 there), and
    memmaps need no copy, but for blocks with repeated names. On a GPU the names stay in device
    memory.
    """

    sorted_by_own = False

    def __init__(self, names: DistinctNames, device: str) -> None:
        self.image_block = 512 if device == "cpu" else 4096
        self._device = torch.device(device)
        self._bound = float32_error_bound(names.names.shape[1])
        self._blocks = [
            (start, min(start + NAME_BLOCK, len(names)))
            for start in range(0, len(names), NAME_BLOCK)
        ]
        blocks = (names.block(start, stop) for start, stop in self._blocks)
        self._on_host = list(blocks) if device == "cpu" else []
        self._on_device = [torch.tensor(block).to(self._device) for block in blocks]
        weights = names.weights
        self._heavy = np.flatnonzero(weights > 1)
        self._extra = weights[self._heavy] - 1

    def sift(
        self, images: NDArray[np.float32], own_sim: NDArray[np.float64], count: int
    ) -> Iterator[Sifted]:
        """See `engine.Engine.sift`."""
        low, high = (self._column(x) for x in thresholds(own_sim, self._bound))
        on_device = torch.tensor(images).to(self._device) if self._on_device else None
        best = np.full((len(images), count), -np.inf, dtype=np.float32)
        for index, (start, stop) in enumerate(self._blocks):
            if on_device is None:
                sims = torch.from_numpy(np.matmul(images, self._on_host[index].T))
            else:
                with _full_float32():
                    sims = on_device @ self._on_device[index].T
            block_best = torch.topk(sims, min(count, stop - start), dim=1, sorted=False).values
            best = best_of(best, block_best.cpu().numpy())
            floor = self._column(top_floor(best[:, 0], self._bound))
            above = sims > high
            yield Sifted(
                # int32: several times faster than the default, and a block has few names.
                above=above.sum(dim=1, dtype=torch.int32).cpu().numpy()
                + self._extra_above(above, start, stop),
                near=_pairs((sims >= low) ^ above, start),  # what is above is also >= low
                top=_pairs(sims >= floor, start),
            )

    def _extra_above(self, above: torch.Tensor, start: int, stop: int) -> NDArray[np.int64]:
        """How much more than 1 the names above count, for those that stand for several."""
        first, last = np.searchsorted(self._heavy, [start, stop])
        if first == last:
            return np.zeros(len(above), dtype=np.int64)
        columns = torch.from_numpy(self._heavy[first:last] - start).to(self._device)
        extra: NDArray[np.int64] = above[:, columns].cpu().numpy() @ self._extra[first:last]
        return extra

    def _column(self, x: NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(x).to(self._device)[:, None]


def _pairs(mask: torch.Tensor, start: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the true elements, columns counted from `start`."""
    rows, columns = (x.cpu().numpy() for x in torch.nonzero(mask, as_tuple=True))
    return rows, columns + start


@contextmanager
def _full_float32() -> Iterator[None]:
    """No TF32 in matrix products, whatever the program around has chosen."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
