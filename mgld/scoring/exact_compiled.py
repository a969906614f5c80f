"""`exact.exact_sim_pairs` of unit vectors in machine code."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from mgld.scoring.exact import exact_sim_pairs
from mgld.scoring.llvm_code import (
    F32,
    F64,
    I64,
    compiled,
    load,
    load32,
    loop,
    machine_code,
    sum_lanes,
)

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

F32x8, F64x8 = ir.VectorType(F32, 8), ir.VectorType(F64, 8)


def exact_unit_pairs(a: Float32, a_rows: Int64, b: Float32, b_rows: Int64) -> NDArray[np.float64]:
    """`exact.exact_sim_pairs` of unit vectors, compiled: same arguments, same result."""
    if a.strides[1] != 4 or b.strides[1] != 4:
        return exact_sim_pairs(a, a_rows, b, b_rows)
    sims = np.empty(len(a_rows))
    unsure = np.empty(len(a_rows), dtype=np.int64)
    dim = a.shape[1]
    # Twice the slack of `exact._sum_products`: the rest makes up for rounding tail +- slack.
    slack = dim * dim * 2.0**-102
    doubts = _exact_pairs(
        a.ctypes.data,
        a.strides[0],
        np.ascontiguousarray(a_rows),
        b.ctypes.data,
        b.strides[0],
        np.ascontiguousarray(b_rows),
        dim,
        slack,
        sims,
        unsure,
    )
    rest = unsure[:doubts]
    sims[rest] = exact_sim_pairs(a, a_rows[rest], b, b_rows[rest])
    return sims


@machine_code
def exact_halves(_context: Any, a: Any, b: Any, dim: Any) -> Any:
    """(head, tail) of the products of `dim` floats (a multiple of 16): `exact._sum_products`."""
    signature = types.UniTuple(types.float64, 2)(*[types.intp] * 3)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        a, b, dim = args
        shift = ir.Constant(F64x8, [6.0] * 8)
        i, sums, finish = loop(builder, I64(0), dim, 16, [ir.Constant(F64x8, [0.0] * 8)] * 4)
        new = []
        for part in (0, 1):
            at = builder.add(builder.mul(i, I64(4)), I64(part * 32))
            x, y = (builder.fpext(load(builder, base, at, F32x8), F64x8) for base in (a, b))
            product = builder.fmul(x, y)
            q = builder.fsub(builder.fadd(product, shift), shift)
            new.append(builder.fadd(sums[2 * part], q))
            new.append(builder.fadd(sums[2 * part + 1], builder.fsub(product, q)))
        sums = finish(new)
        halves = [
            sum_lanes(builder, builder.fadd(sums[which], sums[2 + which])) for which in (0, 1)
        ]
        return context.make_tuple(builder, signature.return_type, halves)

    return signature, codegen


@compiled
def _exact_pairs(
    a: int,
    a_stride: int,
    a_rows: Any,
    b: int,
    b_stride: int,
    b_rows: Any,
    dim: int,
    slack: float,
    sims: Any,
    unsure: Any,
) -> int:
    """`exact._sum_products` of unit vectors at addresses; returns how many are `unsure`.

    sims float64 [n] are Sim, but for the pairs whose numbers are written to unsure int64 [n].
    """
    doubts = 0
    whole = dim // 16 * 16
    for n in range(len(a_rows)):
        x, y = a + a_stride * a_rows[n], b + b_stride * b_rows[n]
        head, tail = exact_halves(x, y, whole)
        for k in range(whole, dim):
            product = np.float64(load32(x + 4 * k)) * np.float64(load32(y + 4 * k))
            q = (product + 6.0) - 6.0
            head += q
            tail += product - q
        low = head + (tail - slack)
        high = head + (tail + slack)
        sims[n] = low
        if low != high:
            unsure[doubts] = n
            doubts += 1
    return doubts
