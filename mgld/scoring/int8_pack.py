"""Quantised vectors laid out as the int8 kernel reads them, with the float32 facts it needs."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgld.scoring.distinct import DistinctNames
from mgld.scoring.int8_quantise import Turn, quantise
from mgld.scoring.int8_tile import NAME_FACTS, PANEL, ROW_FACTS, ROWS, STEP

Float32 = NDArray[np.float32]

_UP = 1 + 2.0**-20  # makes up for the roundings of a bound to float32, and in float32
_PANELS = 16  # panels packed at a time


@dataclass(frozen=True)
class PackedNames:
    """U names for the int8 kernels: 3 D + 24 bytes each.

    tiles uint8 [P, D/4, 64, 4] and facts float32 [P, 4, 64] for `int8_tile.tile`; digits uint8
    [U, 2, D] for `int8_tile.digit_sums`, both biased by 128; lengths float32 [U, 2]: `second` and
    `last` of `Quantised`.
    """

    tiles: NDArray[np.uint8]
    facts: Float32
    digits: NDArray[np.uint8]
    lengths: Float32


@dataclass(frozen=True)
class PackedImages:
    """n images for the int8 kernels, the rotation's factor divided out of their facts.

    tiles int8 [G, D/4, 6, 4] and facts float32 [6 G, 8] for `int8_tile.tile`; digits int8
    [n, 2, D]; lengths float32 [n, 3]: `both`, `second` and `last` of `Quantised`; sums int64
    [n, 2]: 128 times the sums of the first digits, and of both.
    """

    tiles: NDArray[np.int8]
    facts: Float32
    digits: NDArray[np.int8]
    lengths: Float32
    sums: NDArray[np.int64]


def pack_names(
    names: DistinctNames, turn: Turn, a: Float32, b: Float32, pool: Executor
) -> PackedNames:
    """Pack the vectors less b; the offsets are <a, y>. Block by block.

    What fills the last panel is never above an image's own name nor near it: its offset is -inf.
    """
    panels = -(-len(names) // PANEL)
    packed = PackedNames(
        tiles=aligned(np.uint8, (panels, turn.padded // STEP, PANEL, STEP)),
        facts=aligned(np.float32, (panels, NAME_FACTS, PANEL)),
        digits=np.empty((len(names), 2, turn.padded), dtype=np.uint8),
        lengths=np.empty((len(names), 2), dtype=np.float32),
    )
    wide = a.astype(np.float64)

    def fill(start: int) -> None:
        stop = min(start + _PANELS, panels)
        rows = names.first[start * PANEL : stop * PANEL]
        part = slice(start * PANEL, start * PANEL + len(rows))
        found = quantise(names.names, rows, b, turn)
        facts = np.zeros((NAME_FACTS, (stop - start) * PANEL))
        facts[1] = -np.inf
        vectors = names.block(part.start, part.stop)
        facts[:, : len(rows)] = (
            found.scale,
            vectors.astype(np.float64) @ wide,
            found.whole * _UP,
            found.rest * _UP,
        )
        packed.facts[start:stop] = facts.reshape(NAME_FACTS, -1, PANEL).transpose(1, 0, 2)
        packed.lengths[part] = np.stack([found.second, found.last], axis=1) * _UP
        np.add(found.digits.view(np.uint8), 128, out=packed.digits[part])  # modulo 256
        padded = np.full((facts.shape[1], turn.padded), 128, dtype=np.uint8)
        padded[: len(rows)] = packed.digits[part, 0]
        quads = padded.view(np.uint32).reshape(stop - start, PANEL, -1).transpose(0, 2, 1)
        packed.tiles[start:stop].view(np.uint32)[..., 0] = quads

    list(pool.map(fill, range(0, panels, _PANELS)))
    return packed


def pack_images(images: Float32, turn: Turn, a: Float32) -> PackedImages:
    """Pack images float32 [n, d] less a. low, high and floor of their facts are +inf.

    So what fills the last group is never above and never near.
    """
    count, groups = len(images), -(-len(images) // ROWS)
    found = quantise(images, np.arange(count), a, turn)
    digit_sums = found.digits.sum(axis=2, dtype=np.int64)
    facts = np.zeros((groups * ROWS, ROW_FACTS), dtype=np.float32)
    facts[:, 4:] = np.inf
    facts.view(np.int32)[:count, 0] = -128 * digit_sums[:, 0]
    facts[:count, 1] = found.scale / turn.factor
    facts[:count, 2] = found.rest / turn.factor * _UP
    facts[:count, 3] = found.first / turn.factor * _UP
    lengths = np.stack([found.both, found.second, found.last], axis=1) / turn.factor * _UP
    padded = np.zeros((groups * ROWS, turn.padded), dtype=np.int8)
    padded[:count] = found.digits[:, 0]
    quads = padded.view(np.uint32).reshape(groups, ROWS, -1).transpose(0, 2, 1)
    return PackedImages(
        tiles=np.ascontiguousarray(quads).view(np.int8).reshape(groups, -1, ROWS, STEP),
        facts=facts,
        digits=found.digits,
        lengths=lengths.astype(np.float32),
        sums=128 * np.cumsum(digit_sums, axis=1),
    )


def aligned(dtype: type, shape: tuple[int, ...]) -> NDArray[Any]:
    """An empty array that begins at a multiple of 64 bytes, as `int8_tile` reads it."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + 64, dtype=np.uint8)
    at = -raw.ctypes.data % 64
    return raw[at : at + size].view(dtype).reshape(shape)
