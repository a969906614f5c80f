"""Exact similarities: the sum of products of float32 vectors, rounded once to float64.

Definition: docs/definitions.md, "Sim". It is what `math.fsum` gives, whatever the order, block or
machine.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgld.scoring.validate import LENGTH_TOLERANCE

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

# Products are sorted out on a grid of 2^-50: see `_sum_products`.
_SHIFT = 6.0
# Elements of one chunk: its four float64 temporaries stay in the processor's cache.
_CHUNK_ELEMENTS = 1 << 15
_MAX_DIM = 1 << 20


def float32_error_bound(dim: int) -> float:
    """A bound on |s - Sim| for s any float32 evaluation of the inner product of unit vectors.

    `dim` is d, the vectors' length; they are unit to 1e-3. The proof, with u = 2^-24:

    - d products and at most d additions, in any order and grouping, fused or not, give
      |s - sum a_i b_i| <= gamma_d * sum |a_i b_i|, gamma_d = d u / (1 - d u)
      (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1);
    - sum |a_i b_i| <= |a| |b| <= (1 + 1e-3)^2 by Cauchy-Schwarz;
    - underflow: an input, a product or a partial sum that is flushed to zero instead costs at
      most 2^-126 (times a factor of at most 1.001), four times per element: d * 2^-123;
    - Sim itself is the exact sum rounded to float64: |Sim| < 2 gives at most 2^-53.

    It holds for every conventional matrix product (BLAS, FAISS, cuBLAS in full float32), not for
    TF32, bfloat16 or Strassen-like ones. ValueError if d is not in [1, 2^20].
    """
    if not 1 <= dim <= _MAX_DIM:
        raise ValueError(f"vectors of length {dim}: must be between 1 and {_MAX_DIM}")
    unit = 2.0**-24
    gamma = dim * unit / (1 - dim * unit)
    # 1e-9: `validate` measures lengths in float64, and this expression is itself rounded.
    length = 1 + LENGTH_TOLERANCE + 1e-9
    return gamma * length * length + dim * 2.0**-123 + 2.0**-52


def exact_sim(a: Float32, b: Float32) -> Float64:
    """Sim of row pairs: `math.fsum` of the products of a[i] and b[i], for every i.

    a, b: float32 [n, d]. Returns float64 [n]. ValueError for other shapes or dtypes, and for rows
    that are not finite. The rows need not be unit vectors (those are the fast case).
    """
    for label, x in (("a", a), ("b", b)):
        if x.ndim != 2 or x.dtype != np.float32:
            raise ValueError(f"{label}: expected float32 [n, d], got {x.dtype} {list(x.shape)}")
    if a.shape != b.shape:
        raise ValueError(f"a is {list(a.shape)}, b is {list(b.shape)}: they must be the same")
    rows = np.arange(len(a))
    return exact_sim_pairs(a, rows, b, rows)


def exact_sim_pairs(a: Float32, a_rows: Int64, b: Float32, b_rows: Int64) -> Float64:
    """Sim of a[a_rows[i]] with b[b_rows[i]], gathered in chunks so that memory stays flat.

    a: float32 [A, d], b: float32 [B, d] (arrays or memmaps), a_rows and b_rows: int64 [n].
    Returns float64 [n].
    """
    result = np.empty(len(a_rows))
    step = max(1, _CHUNK_ELEMENTS // max(1, a.shape[1]))
    for start in range(0, len(a_rows), step):
        chunk = slice(start, start + step)
        result[chunk] = _sum_products(a[a_rows[chunk]], b[b_rows[chunk]])
    return result


def tail_slack(dim: int) -> float:
    """How far the computed `tail` of `_sum_products` is from the exact one, at most."""
    return dim * dim * 2.0**-103


def _sum_products(a: Float32, b: Float32) -> Float64:
    """`math.fsum` of each row of a * b, vectorised where the rounding is certain.

    A product p of two float32 is exact in float64 (24 + 24 <= 53 bits). For |a|^2 |b|^2 <= 2 the
    products of a row have sum |p| <= 1.42 (Cauchy-Schwarz), and then (as AccSum of Rump, Ogita and
    Oishi, 2008, with a fixed shift):

    - t = fl(6 + p) lies in [4, 8), whose floats are the multiples of 2^-50, so q = t - 6 is exact,
      a multiple of 2^-50, and |p - q| <= 2^-51. r = p - q is the rounding error of an addition
      and so a float64: p = q + r without error.
    - every partial sum of the q is a multiple of 2^-50 below 8, hence a float64: their sum `head`
      is exact in any order.
    - the r sum to `tail` with an error of at most gamma_d * sum |r| <= 1.01 * d^2 * 2^-104.

    So Sim's exact value lies in head + [tail - slack, tail + slack]. Rounding is monotone: if both
    ends round to the same float64, that is the correctly rounded sum. Otherwise (rare: about one in
    a million) `math.fsum` decides.
    """
    dim = a.shape[1]
    # Rows that overflow here, or are not finite, are left to fsum, which refuses the latter.
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b)
        # Computed in float32, at most 13 % off for d <= 2^20: below 1.5 is below 2.
        fits = (lengths < 1.5) & (dim <= _MAX_DIM)
        products = np.multiply(a, b, dtype=np.float64)
        q = products + _SHIFT
        q -= _SHIFT
        head = q.sum(axis=1)
        np.subtract(products, q, out=q)
        tail = q.sum(axis=1)
    slack = tail_slack(dim)
    low: Float64 = head + np.nextafter(tail - slack, -np.inf)
    high = head + np.nextafter(tail + slack, np.inf)
    for row in np.flatnonzero(~fits | (low != high)):
        low[row] = _fsum(products[row])
    return low


def _fsum(products: NDArray[Any]) -> float:
    """`math.fsum` of one row of exact products; ValueError if one is not finite."""
    if not np.isfinite(products).all():
        raise ValueError("similarity of a vector that is not finite (NaN or inf)")
    return math.fsum(products.tolist()) + 0.0  # + 0.0: never a negative zero
