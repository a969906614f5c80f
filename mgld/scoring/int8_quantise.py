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
at most ((1 + u)^(2L + 1) - 1) |Ru| in length. (2L + 2) u |Ru| is added to |r| and |t|: the last u
has room for the float64 in which lengths are computed. Underflow is far below the slack of
`int8_sift`. Bounds that become float32 are rounded up in `int8_pack`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgld.scoring.llvm_code import butterfly, compiled, load32, summing

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
    row = 4 * LANES
    for level in range(levels):
        half = 1 << level
        for block in range(0, len(z), 2 * half):
            for k in range(block, block + half):
                butterfly(z.ctypes.data + k * row, z.ctypes.data + (k + half) * row)


@compiled
def _round(z: Any, start: int, digits: Any, scales: Any, lengths: Any) -> None:
    """Digits, scales and lengths of the vectors in z's lanes: rows start, start + 1, ..."""
    x = np.empty(len(z), np.float32)
    for lane in range(min(LANES, len(scales) - start)):
        row = start + lane
        for k in range(len(z)):
            x[k] = z[k, lane]
        largest = np.float32(0)
        for k in range(len(z)):
            largest = max(largest, abs(x[k]))
        # Shorter than this, the vector is all rest.
        scale = largest / np.float32(127) if largest > np.float32(1e-30) else np.float32(0)
        scales[row] = scale
        _split(x, scale, digits[row, 0], digits[row, 1], lengths[row])


@summing
def _split(x: Any, scale: Any, first: Any, second: Any, lengths: Any) -> None:
    """x float32 [D] = scale (first + second / 256) + last: digits int8 [D], lengths float64 [5]."""
    inverse = np.float32(1) / scale if scale > 0 else np.float32(0)
    step, fine, finer = np.float64(scale), np.float64(scale) / 256, np.float64(inverse) * 256
    whole = part = rest = small = last = 0.0
    for k in range(len(x)):
        p = np.float64(min(max(np.rint(x[k] * inverse), np.float32(-127)), np.float32(127)))
        left = np.float64(x[k]) - step * p
        q = min(max(np.rint(left * finer), -127.0), 127.0)
        first[k] = np.int8(p)
        second[k] = np.int8(q)
        whole += np.float64(x[k]) * np.float64(x[k])
        part += p * p
        rest += left * left
        small += q * q
        last += (left - fine * q) * (left - fine * q)
    lengths[0] = np.sqrt(whole)
    lengths[1] = np.sqrt(part) * step
    lengths[2] = np.sqrt(rest)
    lengths[3] = np.sqrt(small) * fine
    lengths[4] = np.sqrt(last)
