"""The "cuda" backend on GPUs with a matrix unit: products in float16, counted where they are made.

For an image, a name is certainly above its own similarity (only counted), certainly below
(forgotten), or listed: the undecided ones and those that may be among the nearest. What is listed
is summed exactly on the GPU; pairs that even that cannot round for certain, about one in a million,
are handed on to `math.fsum` (`blocked.py`). Memory does not depend on how many are listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import triton
from numpy.typing import NDArray
from triton.tools.tensor_descriptor import TensorDescriptor

from mgld.scoring.device_pairs import exact_sums, merge_best, pairs_of_words
from mgld.scoring.distinct import DistinctNames
from mgld.scoring.engine import NAME_BLOCK, Sifted
from mgld.scoring.exact import exact_sim_pairs
from mgld.scoring.half_precision import (
    SCALE_OF_PRODUCT,
    HalfNames,
    accumulation_error,
    round_rows,
    threshold,
)
from mgld.scoring.triton_kernels import products_kernel, sift_kernel

_CHECKED_ROWS = 64


@dataclass(frozen=True)
class Tiles:
    """Blocks of the product: rows x columns x depth elements, columns a multiple of 32.

    warps and stages: of the programs that make them. The default fills a Hopper multiprocessor:
    128 float32 of a block per thread, 192 KB of shared memory in four stages.
    """

    rows: int = 128
    columns: int = 256
    depth: int = 64
    warps: int = 8
    stages: int = 4


@dataclass(frozen=True)
class Sizes:
    """How much is done at a time.

    images: per call of `sift`. sample: names whose products are written down first, to find a
    floor for the nearest. growth: the floor is raised after each block of names, and each block is
    so many times as long as all names before it. words: room for the listed names of an image and
    a block, up to 32 in a word. at_once: words that are made into pairs at a time.
    """

    images: int = 8192
    sample: int = 4096
    growth: int = 3
    words: int = 4096
    at_once: int = 1 << 19


class TritonEngine:
    """Images against all names with the kernels of `triton_kernels.py`.

    device: "cuda", or "cpu" in Triton's interpreter.
    """

    sorted_by_own = False

    def __init__(
        self,
        names: DistinctNames,
        device: str = "cuda",
        *,
        tiles: Tiles | None = None,
        sizes: Sizes | None = None,
    ) -> None:
        self.tiles, self.sizes = tiles or Tiles(), sizes or Sizes()
        self.image_block = self.sizes.images
        self.given = names
        self.device = torch.device(device)
        blocks = range(0, len(names), NAME_BLOCK)
        self.names = torch.cat(
            [
                torch.tensor(names.block(start, min(start + NAME_BLOCK, len(names)))).to(device)
                for start in blocks
            ]
        )
        weights = names.weights
        self.weight = torch.from_numpy(weights).to(self.device)
        # Vectors that several names share stand last: their weights are added up apart.
        self.single = int((weights == 1).sum())
        self.column = torch.from_numpy(np.argsort(weights > 1, kind="stable")).to(self.device)
        self.half = HalfNames.of(self.names[self.column], self.tiles.depth)
        self.checked = False

    def sift(
        self, images: NDArray[np.float32], own_sim: NDArray[np.float64], count: int
    ) -> Iterator[Sifted]:
        """See `engine.Engine.sift`. One `Sifted` for all names, and more for rows that overflow."""
        block = _Block(self, images, own_sim, count)
        block.floor_from_sample()
        first, stop = 0, min(self.sizes.sample, self.single)
        while first < stop:
            block.sift_single(first, stop)
            first, stop = stop, min((1 + self.sizes.growth) * stop, self.single)
        for first in range(self.single, len(self.names), self.sizes.sample):
            block.sift_shared(first, min(first + self.sizes.sample, len(self.names)))
        yield block.sifted()
        yield from self._overflowed(images, own_sim, count, block.overflowed.cpu().numpy())

    def exact_sims(
        self, images: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """See `engine.SumsExactly`."""
        pairs = (torch.from_numpy(x).to(self.device) for x in (rows, columns))
        sims = exact_sums(torch.tensor(images).to(self.device), self.names, *pairs).cpu().numpy()
        unsure = np.flatnonzero(np.isnan(sims))
        sims[unsure] = exact_sim_pairs(
            images, rows[unsure], self.given.names, self.given.first[columns[unsure]]
        )
        return sims

    def _overflowed(
        self,
        images: NDArray[np.float32],
        own_sim: NDArray[np.float64],
        count: int,
        overflowed: NDArray[np.bool_],
    ) -> Iterator[Sifted]:
        """Images with more listed names than there is room for: by float32 products, all anew."""
        from mgld.scoring.dense_engine import DenseEngine

        rows = np.flatnonzero(overflowed)
        if len(rows) == 0:
            return
        dense = DenseEngine(self.given, self.device.type)
        for start in range(0, len(rows), dense.image_block):
            part = rows[start : start + dense.image_block]
            for sifted in dense.sift(images[part], own_sim[part], count):
                above = np.zeros(len(images), dtype=np.int64)
                above[part] = sifted.above
                near, top = ((part[r], c) for r, c in (sifted.near, sifted.top))
                yield Sifted(above, near, top)


class _Block:
    """What is known of the B images of one call of `sift`, on the device.

    above int64 [B]: names, by weight, that are certainly higher. best float64 [B, K] and
    best_column int64 [B, K]: the nearest so far, ties by column. least float64 [B]: what the K-th
    nearest of all has at least. overflowed bool [B]: nothing of the image is right.
    """

    def __init__(
        self,
        engine: TritonEngine,
        images: NDArray[np.float32],
        own_sim: NDArray[np.float64],
        count: int,
    ) -> None:
        self._engine = engine
        self._images = torch.tensor(images).to(engine.device)
        self._own = torch.from_numpy(own_sim).to(engine.device)
        tiles = engine.tiles
        self._padding = -len(images) % tiles.rows
        self._rounded = round_rows(self._images, tiles.depth)
        self._half = torch.nn.functional.pad(self._rounded.half, (0, 0, 0, self._padding))
        self._bound = engine.half.error_bound(self._rounded)
        self._offset = engine.half.offset(self._images)
        self._high = threshold(self._own + self._bound, self._offset, up=True)
        self._words = torch.empty(
            (len(self._half), engine.sizes.words), dtype=torch.int64, device=engine.device
        )
        self._unsure: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.above = torch.zeros(len(images), dtype=torch.int64, device=engine.device)
        self.overflowed = torch.zeros_like(self.above, dtype=torch.bool)
        self.least = torch.full_like(self._own, -torch.inf)
        self.best = self.least[:, None].repeat(1, count)
        self.best_column = torch.full_like(self.best, -1, dtype=torch.int64)

    def floor_from_sample(self) -> None:
        """Find what the K-th nearest has at least, from the products of the first names."""
        engine, count = self._engine, self.best.shape[1]
        products = self._products(0, min(engine.sizes.sample, len(engine.names)))
        if not engine.checked:
            self._check(products)
            engine.checked = True
        if products.shape[1] >= count:
            kth = products.topk(count, dim=1, sorted=False).values.amin(dim=1)
            self.least = kth.double() / SCALE_OF_PRODUCT + self._offset - self._bound

    def sift_single(self, first: int, stop: int) -> None:
        """Count and list the names [first, stop), each the only one with its vector."""
        reached, length = self.launch(first, stop)
        self.overflowed |= length > self._words.shape[1]
        self.above += reached
        length = torch.where(self.overflowed, 0, length)
        engine, words = self._engine, self._words[: len(length)]
        stride = engine.tiles.columns // 32
        for rows, columns in pairs_of_words(words, length, stride, engine.sizes.at_once):
            self.above -= torch.bincount(rows, minlength=len(self.above))
            self._decide(rows, columns)
        self.least = torch.maximum(self.least, self.best[:, -1])

    def launch(self, first: int, stop: int) -> torch.Tensor:
        """Run `sift_kernel` over the names [first, stop): int32 [2, B], reached and length."""
        engine, tiles = self._engine, self._engine.tiles
        low, floor = self._low_and_floor()
        counts = torch.zeros((2, len(self._half)), dtype=torch.int32, device=engine.device)
        row_tiles = len(self._half) // tiles.rows
        blocks = row_tiles * triton.cdiv(stop - first, tiles.columns)
        sift_kernel[(min(blocks, _multiprocessors(engine.device)),)](
            self._descriptor(self._half, tiles.rows),
            self._descriptor(engine.half.rounded.half, tiles.columns),
            *(self._padded(x) for x in (low, self._high, floor)),
            counts[0],
            counts[1],
            self._words,
            first,
            stop,
            row_tiles,
            self._words.shape[1],
            DIM=self._half.shape[1],
            BM=tiles.rows,
            BN=tiles.columns,
            BK=tiles.depth,
            num_warps=tiles.warps,
            num_stages=tiles.stages,
        )
        return counts[:, : len(self.above)]

    def sift_shared(self, first: int, stop: int) -> None:
        """The same for names [first, stop) that count more than once: products are written down."""
        low, floor = self._low_and_floor()
        products = self._products(first, stop)
        weight = self._engine.weight[self._engine.column[first:stop]]
        edge = torch.where(products <= self._high[:, None], low[:, None], floor[:, None])
        listed = products >= edge
        only_counted = (products >= low[:, None]) & ~listed
        self.above += torch.where(only_counted, weight, 0).sum(dim=1)
        rows, columns = listed.nonzero(as_tuple=True)
        self._decide(rows, first + columns)
        self.least = torch.maximum(self.least, self.best[:, -1])

    def sifted(self) -> Sifted:
        """The result, without the images that overflowed."""
        rows, places = (self.best_column >= 0).nonzero(as_tuple=True)
        columns = self.best_column[rows, places]
        unsure_rows = torch.cat([rows[:0], *(pair[0] for pair in self._unsure)])
        unsure_columns = torch.cat([rows[:0], *(pair[1] for pair in self._unsure)])
        return Sifted(
            above=torch.where(self.overflowed, 0, self.above).cpu().numpy(),
            near=self._kept(unsure_rows, unsure_columns),
            top=self._kept(torch.cat([rows, unsure_rows]), torch.cat([columns, unsure_columns])),
        )

    def _kept(
        self, rows: torch.Tensor, columns: torch.Tensor
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        good = ~self.overflowed[rows]
        return rows[good].cpu().numpy(), columns[good].cpu().numpy()

    def _low_and_floor(self) -> tuple[torch.Tensor, torch.Tensor]:
        """float32 [B]: products below `low` are of no interest, from `floor` they may be nearest.

        A name with Sim >= least has a product of at least (least - bound - offset) 2^16.
        """
        floor = threshold(self.least - self._bound, self._offset, up=False)
        low = threshold(self._own - self._bound, self._offset, up=False)
        return torch.minimum(low, floor), floor

    def _decide(self, rows: torch.Tensor, places: torch.Tensor) -> None:
        """Sum listed pairs exactly; `places` are those of the names as they stand in `half`."""
        columns = self._engine.column[places]
        sims = exact_sums(self._images, self._engine.names, rows, columns)
        unsure = torch.isnan(sims)
        self._unsure.append((rows[unsure], columns[unsure]))
        higher = torch.where(sims > self._own[rows], self._engine.weight[columns], 0)
        self.above.index_add_(0, rows, higher)
        near = sims >= torch.maximum(self.least, self.best[:, -1])[rows]
        self.best, self.best_column = merge_best(
            self.best, self.best_column, rows[near], columns[near], sims[near]
        )

    def _products(self, first: int, stop: int) -> torch.Tensor:
        """float32 [B, stop - first]: products with some of the names, as `half` has them."""
        engine, tiles = self._engine, self._engine.tiles
        width = stop - first
        out = torch.empty((len(self._half), width), dtype=torch.float32, device=engine.device)
        names = engine.half.rounded.half[first:stop]
        products_kernel[(len(out) // tiles.rows, triton.cdiv(width, tiles.columns))](
            self._descriptor(self._half, tiles.rows),
            self._descriptor(names, tiles.columns),
            out,
            width,
            DIM=self._half.shape[1],
            BM=tiles.rows,
            BN=tiles.columns,
            BK=tiles.depth,
            num_warps=tiles.warps,
            num_stages=tiles.stages,
        )
        return out[: len(self.above)]

    def _check(self, products: torch.Tensor) -> None:
        """RuntimeError if products are further off than `accumulation_error` says."""
        names = self._engine.half.rounded
        a = self._rounded.half[:_CHECKED_ROWS].double()
        b = names.half[: products.shape[1]].double()
        limit = self._rounded.kept[: len(a), None] * names.kept[: len(b)] * SCALE_OF_PRODUCT
        limit *= accumulation_error(a.shape[1]) * (1 + 1e-9)
        if not bool(((products[: len(a)].double() - a @ b.T).abs() <= limit).all()):
            raise RuntimeError(
                "this GPU adds float16 products less exactly than exact ranks rely on: use "
                "backend 'cpu', and please report the GPU's name"
            )

    def _descriptor(self, x: torch.Tensor, rows: int) -> TensorDescriptor:
        return TensorDescriptor.from_tensor(x, [rows, self._engine.tiles.depth])

    def _padded(self, x: torch.Tensor) -> torch.Tensor:
        """A threshold for each row of the last block: nothing reaches inf."""
        return torch.nn.functional.pad(x, (0, self._padding), value=torch.inf)


def _multiprocessors(device: torch.device) -> int:
    if device.type == "cpu":
        return 3  # the interpreter's programs share the work as a GPU's do
    return int(torch.cuda.get_device_properties(device).multi_processor_count)
