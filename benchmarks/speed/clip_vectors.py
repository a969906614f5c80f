"""Image and name vectors shaped like CLIP's, from a keyed generator: no model, any size, any block.

Unit vectors x = sqrt(c) m + sqrt(1 - c) z, float32. m is the direction of the cone that a kind of
vectors lies in: images and names have one each, at a cosine of 0.2 (CLIP's "modality gap"), and c
is 0.70 for images, 0.75 for names. z varies with the spectrum 1/j over the d dimensions of a random
basis. An image's z has a correlation of 0.45 with that of its own name. Similarities then are about
0.15 +- 0.05 with other names and 0.27 with the own one, which is the first for a quarter of 50,000
images and beyond the 250th for a quarter.

A block of rows is drawn from Philox keyed by (seed, kind, block).
"""

from __future__ import annotations

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

BLOCK = 4096
CONES = {"image": 0.70, "name": 0.75}
GAP, HIT = 0.2, 0.45
_KINDS = {"basis": 0, "name": 1, "image": 2, "own": 3}


def _generator(seed: int, kind: str, block: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, _KINDS[kind] << 32 | block]))


def own_names(images: int, names: int, *, seed: int = 0) -> NDArray[np.int64]:
    """int64 [images]: the row of its own name, each name about equally often."""
    order = _generator(seed, "own").permutation(max(images, names))[:images]
    return order % names


class ClipVectors:
    """The two sides' blocks of vectors of `dim` dimensions."""

    def __init__(self, dim: int, *, seed: int = 0) -> None:
        self.dim, self.seed = dim, seed
        normal = _generator(seed, "basis").standard_normal((dim, dim))
        self._basis = np.linalg.qr(normal)[0].astype(np.float32)
        spectrum = 1 / np.arange(1, dim + 1)
        self._spread = np.sqrt(spectrum / spectrum.sum()).astype(np.float32)
        self._mean = {
            "image": self._basis[0],
            "name": GAP * self._basis[0] + np.sqrt(1 - GAP**2) * self._basis[1],
        }

    def names(self, block: int) -> Float32:
        """float32 [4096, dim]: names 4096 block to 4096 (block + 1)."""
        return self._unit("name", self._normal("name", block))

    def images(self, block: int, own: NDArray[np.int64]) -> Float32:
        """float32 [len(own), dim]: the first images of a block, whose own names are `own`."""
        found = self._normal("image", block)[: len(own)] * np.float32(np.sqrt(1 - HIT**2))
        for name_block in np.unique(own // BLOCK):
            mine = own // BLOCK == name_block
            found[mine] += HIT * self._normal("name", int(name_block))[own[mine] % BLOCK]
        return self._unit("image", found)

    def _normal(self, kind: str, block: int) -> Float32:
        draw = _generator(self.seed, kind, block).standard_normal((BLOCK, self.dim), np.float32)
        found: Float32 = draw * self._spread
        return found

    def _unit(self, kind: str, z: Float32) -> Float32:
        cone = CONES[kind]
        x = np.sqrt(cone) * self._mean[kind] + np.sqrt(1 - cone) * (z @ self._basis[::-1])
        found: Float32 = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
        return found


def write(path: str, rows: int, vectors: ClipVectors, own: NDArray[np.int64] | None = None) -> None:
    """`rows` names, or images with their own names, as a .npy file of float32 [rows, dim]."""
    out = open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, vectors.dim))
    for block, start in enumerate(range(0, rows, BLOCK)):
        stop = min(start + BLOCK, rows)
        part = vectors.names(block) if own is None else vectors.images(block, own[start:stop])
        out[start:stop] = part[: stop - start]
    out.flush()
