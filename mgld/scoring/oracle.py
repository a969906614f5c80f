"""The definition itself, one pair at a time: what every other backend is checked against."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mgld.scoring.scores import Scores, assemble

_BLOCK_ELEMENTS = 1 << 20


def oracle_scores(
    images: NDArray[np.float32], names: NDArray[np.float32], own: NDArray[np.int64], k: int
) -> Scores:
    """Scores by `math.fsum` of every image with every name: O(M N d) Python steps."""
    count = len(names)
    width = min(max(k, 2), count)
    sim = np.empty(len(images))
    rank = np.empty(len(images), dtype=np.int64)
    nearest = np.empty((len(images), width), dtype=np.int64)
    nearest_sim = np.empty((len(images), width))
    for i, image in enumerate(images):
        sims = _similarities(image, names)
        order = sorted(range(count), key=lambda row: (-sims[row], row))[:width]
        sim[i] = sims[own[i]]
        rank[i] = 1 + sum(s > sims[own[i]] for s in sims)
        nearest[i] = order
        nearest_sim[i] = [sims[row] for row in order]
    return assemble(sim, rank, own, nearest, nearest_sim, names=count, k=k)


def _similarities(image: NDArray[np.float32], names: NDArray[np.float32]) -> list[float]:
    """Sim of one image with every name."""
    step = max(1, _BLOCK_ELEMENTS // names.shape[1])
    sims: list[float] = []
    for start in range(0, len(names), step):
        products = np.multiply(names[start : start + step], image, dtype=np.float64)
        sims.extend(math.fsum(row) + 0.0 for row in products.tolist())
    return sims
