"""Unit vectors as bytes, with what is needed to bound their products' error.

For image x and name y, any vectors a and b, u = x - a and v = y - b:

    <x, y> = <u, v> + <a, y> + (<x, b> - <a, b>)                                             (1)

With a and b the means of either side, u and v are shorter than x and y (CLIP's vectors of one kind
share a large part), and so is everything that follows. The last two terms are computed in float64.

R turns u and v alike, so <u, v> = <Ru, Rv>. It spreads every vector evenly over the dimensions:
then 127 steps to the largest of them are fine steps. R is a permutation, a change of signs and
Hadamard transforms of blocks of 2^L dimensions, twice over; it is orthogonal exactly, but for the
factor 2^L that the unscaled transforms leave, which is a power of two and divided out exactly.

A turned vector is stored as two digits p, q (bytes) and s (float32):

    Ru = s p + r = s (p + q / 256) + t

(r', t' etc. for names). By Cauchy-Schwarz, from the first digits alone

    |<Ru, Rv> - s s' <p, p'>| = |<r, Rv> + <s p, r'>| <= |r| |v| + |s p| |r'|                (2)

and from both, without the product of the second ones,

    |<Ru, Rv> - s s' (<p, p'> + (<p, q'> + <q, p'>) / 256)|
        <= |t| |v| + |s (p + q / 256)| |t'| + |s q / 256| |s' q' / 256|                      (3)

Rounding while turning: a subtraction x - a has a relative error of u = 2^-24, and so has every
addition of a transform; each of the 2 L steps preserves lengths, so the computed vector is off by
at most ((1 + u)^(2L + 1) - 1) |Ru| <= (2L + 2) u |Ru| in length. That is added to |r|. Underflow is
far below the slack of `int8_engine`. The lengths are computed in float64 and rounded up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgld.scoring.llvm_code import compiled, load32

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

LANES = 16  # vectors turned at a time, one in each lane of a register
_MAX_LEVELS = 10


@dataclass(frozen=True)
class Turn:
    """The rotation R for vectors of length d: order int64 [2, D] and signs float32 [2, D].

    D is d rounded up to a multiple of 64, levels is L.
    """

    order: NDArray[np.int64]
    signs: Float32
    levels: int

    @property
    def padded(self) -> int:
        """D."""
        return int(self.order.shape[1])

    @property
    def factor(self) -> float:
        """What <Ru, Rv> / <u, v> is: 2^(2 L), exactly."""
        return 2.0 ** (2 * self.levels)

    @property
    def error(self) -> float:
        """|computed Ru - Ru| / |Ru| at most."""
        return (2 * self.levels + 2) * 2.0**-24


def turn_for(dim: int) -> Turn:
    """The rotation for vectors of length `dim`; the same on every machine."""
    padded = -(-dim // 64) * 64
    rng = np.random.Generator(np.random.Philox(key=dim))
    return Turn(
        order=np.stack([rng.permutation(padded) for _ in range(2)]),
        signs=rng.choice(np.array([-1, 1], dtype=np.float32), size=(2, padded)),
        levels=min(_MAX_LEVELS, (padded & -padded).bit_length() - 1),
    )


@dataclass(frozen=True)
class Quantised:
    """n vectors x less a centre, turned and rounded: Rx = s (p + q / 256) + t.

    digits int8 [n, 2, D]: p and q. scale float32 [n]: s. Bounds on lengths, float64 [n]: whole
    |Rx|, first |s p|, rest |Rx - s p|, both |s (p + q / 256)|, second |s q / 256|, last |t|. All
    but the digits are 2^L times too long: see `Turn.factor`.
    """

    digits: NDArray[np.int8]
    scale: Float32
    whole: Float64
    first: Float64
    rest: Float64
    both: Float64
    second: Float64
    last: Float64


def quantise(vectors: Float32, rows: NDArray[np.int64], centre: Float32, turn: Turn) -> Quantised:
    """Quantise rows of float32 [*, d], whose elements are contiguous within a row."""
    digits = np.empty((len(rows), 2, turn.padded), dtype=np.int8)
    scale = np.empty(len(rows), dtype=np.float32)
    lengths = np.empty((len(rows), 5))
    _quantise(
        vectors.ctypes.data,
        vectors.strides[0],
        rows,
        turn.order,
        turn.signs,
        turn.levels,
        centre,
        digits,
        scale,
        lengths,
    )
    whole, first, rest, second, last = lengths.T
    whole = whole * (1 + 2 * turn.error)
    last = last + turn.error * whole
    return Quantised(
        digits, scale, whole, first, rest + turn.error * whole, whole + last, second, last
    )


@compiled
def _quantise(
    address: int,
    stride: int,
    rows: Any,
    order: Any,
    signs: Any,
    levels: int,
    centre: Any,
    digits: Any,
    scales: Any,
    lengths: Any,
) -> None:
    """Sixteen vectors at a time, one in each lane: a loop over lanes is one instruction."""
    padded, dim = order.shape[1], len(centre)
    z = np.empty((padded, LANES), np.float32)
    w = np.empty((padded, LANES), np.float32)
    for start in range(0, len(rows), LANES):
        for lane in range(LANES):
            at = address + stride * rows[min(start + lane, len(rows) - 1)]
            for k in range(dim):
                w[k, lane] = load32(at + 4 * k) - centre[k]
            for k in range(dim, padded):
                w[k, lane] = np.float32(0)
        _reorder(w, order, signs, 0, z)
        _transform(z, levels)
        _reorder(z, order, signs, 1, w)
        _transform(w, levels)
        _round(w, start, digits, scales, lengths)


@compiled
def _reorder(z: Any, order: Any, signs: Any, time: int, w: Any) -> None:
    """Permute and sign the rows of z float32 [D, 16] into w."""
    for k in range(len(z)):
        for lane in range(LANES):
            w[k, lane] = z[order[time, k], lane] * signs[time, k]


@compiled
def _transform(z: Any, levels: int) -> None:
    """Hadamard transforms, unscaled, of blocks of 2^levels rows of z float32 [D, 16], in place."""
    for level in range(levels):
        half = 1 << level
        for block in range(0, len(z), 2 * half):
            for k in range(block, block + half):
                for lane in range(LANES):
                    x, y = z[k, lane], z[k + half, lane]
                    z[k, lane] = x + y
                    z[k + half, lane] = x - y


@compiled
def _round(z: Any, start: int, digits: Any, scales: Any, lengths: Any) -> None:
    """Digits, scales and lengths of the vectors in z's lanes: rows start, start + 1, ..."""
    x = np.empty(len(z), np.float32)
    for lane in range(min(LANES, len(scales) - start)):
        row = start + lane
        largest = np.float32(0)
        for k in range(len(z)):
            x[k] = z[k, lane]
            largest = max(largest, abs(x[k]))
        # Shorter than this, the vector is all rest.
        scale, inverse = np.float32(0), np.float32(0)
        if largest > np.float32(1e-30):
            scale = largest / np.float32(127)
            inverse = np.float32(1) / scale
        scales[row] = scale
        for k in range(len(z)):
            p = min(max(np.rint(x[k] * inverse), np.float32(-127)), np.float32(127))
            digits[row, 0, k] = np.int8(p)
        for n in range(5):
            lengths[row, n] = 0.0
        step, fine = np.float64(scale), np.float64(scale) / 256
        for k in range(len(z)):
            p = np.float64(digits[row, 0, k])
            rest = np.float64(x[k]) - step * p
            q = min(max(np.rint(rest * np.float64(inverse) * 256), -127.0), 127.0)
            digits[row, 1, k] = np.int8(q)
            last = rest - fine * q
            lengths[row, 0] += np.float64(x[k]) * np.float64(x[k])
            lengths[row, 1] += p * p
            lengths[row, 2] += rest * rest
            lengths[row, 3] += q * q
            lengths[row, 4] += last * last
        for n in range(5):
            lengths[row, n] = np.sqrt(lengths[row, n])
        lengths[row, 1] *= step
        lengths[row, 3] *= fine
