"""Products of bytes in machine code: of a tile of pairs, compared in registers, and of one pair."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from mgld.scoring.llvm_code import (
    F32,
    I16,
    I32,
    I64,
    F32x16,
    I32x16,
    function,
    load,
    loop,
    machine_code,
    splat,
)

ROWS = 6  # images of a tile
VECTORS = 4  # vectors of 16 names of a tile: 6 x 4 sums, 4 names and 1 image fill 32 registers
PANEL = 16 * VECTORS  # names of a tile
STEP = 4  # bytes that one instruction multiplies and adds up, in each of its 16 lanes
ROW_FACTS = 8  # float32 facts of an image, NAME_FACTS float32 facts of a name: see `tile`
NAME_FACTS = 4
VNNI = "llvm.x86.avx512.vpdpbusd.512"  # sums of 4 products of unsigned with signed bytes


@machine_code
def tile(
    _context: Any, rows: Any, names: Any, steps: Any, facts: Any, name_facts: Any, masks: Any
) -> Any:
    """Compare 6 images with 64 names: tile(rows, names, steps, facts, name_facts, masks).

    rows: int8 [steps][6][4], names: uint8 [steps][64][4], biased by 128 (steps = padded d / 4).
    facts: float32 [6][8], of each image: -128 times the sum of its bytes (an int32, bit for bit),
    scale, length of the rest, length of the quantised part, low, high, floor, unused.
    name_facts: float32 [4][64], of each name: scale, offset, length, length of the rest.
    masks: uint64 [6][2], written: bit j of [i][0] is set where value - bound > high (name j is
    certainly above), of [i][1] where the pair is to be looked at again: it is not certainly above
    though value + bound >= low, or value + bound >= floor. Here
    value = scale * scale * product + offset, bound = length * rest + quantised * rest.
    """
    signature = types.void(*[types.intp] * 6)

    def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> Any:
        rows, names, steps, facts, name_facts, masks = args
        vnni = function(builder.module, VNNI, I32x16, [I32x16] * 3)
        fma = function(builder.module, "llvm.fma.v16f32", F32x16, [F32x16] * 3)
        sums = []
        for row in range(ROWS):
            bias = load(builder, facts, row * ROW_FACTS * 4, I32)
            sums += [splat(builder, bias, I32x16)] * VECTORS
        k, sums, finish = loop(builder, I64(0), steps, 1, sums)
        at = builder.mul(k, I64(PANEL * STEP))
        quads = [load(builder, builder.add(names, at), v * 64, I32x16, 64) for v in range(VECTORS)]
        at = builder.add(rows, builder.mul(k, I64(ROWS * STEP)))
        new = []
        for row in range(ROWS):
            quad = splat(builder, load(builder, at, row * STEP, I32), I32x16)
            for v in range(VECTORS):
                new.append(builder.call(vnni, [sums[row * VECTORS + v], quads[v], quad]))
        sums = finish(new)
        for row in range(ROWS):
            fact = [
                splat(builder, load(builder, facts, (row * ROW_FACTS + f) * 4, F32), F32x16)
                for f in range(7)
            ]
            _, scale, rest, quantised, low, high, floor = fact
            words = [I64(0), I64(0)]
            for v in range(VECTORS):
                name_scale, offset, length, name_rest = (
                    load(builder, name_facts, (f * PANEL + v * 16) * 4, F32x16, 64)
                    for f in range(NAME_FACTS)
                )
                value = builder.fmul(builder.sitofp(sums[row * VECTORS + v], F32x16), name_scale)
                value = builder.call(fma, [value, scale, offset])
                bound = builder.call(fma, [length, rest, builder.fmul(quantised, name_rest)])
                upper, lower = builder.fadd(value, bound), builder.fsub(value, bound)
                above = builder.fcmp_ordered(">", lower, high)
                again = builder.or_(
                    builder.and_(builder.fcmp_ordered(">=", upper, low), builder.not_(above)),
                    builder.fcmp_ordered(">=", upper, floor),
                )
                for which, lanes in enumerate((above, again)):
                    word = builder.zext(builder.bitcast(lanes, I16), I64)
                    words[which] = builder.or_(words[which], builder.shl(word, I64(16 * v)))
            for which in (0, 1):
                where = builder.add(masks, I64((row * 2 + which) * 8))
                builder.store(words[which], builder.inttoptr(where, I64.as_pointer()), align=8)
        return context.get_dummy_value()

    return signature, codegen


@machine_code
def digit_sums(_context: Any, names: Any, images: Any, size: Any) -> Any:
    """(first, mixed): sums over `size` dimensions, a multiple of 64, of one pair's two digits.

    names: address of uint8 [2, size], images: of int8 [2, size]. first = sum of n[0] i[0], mixed =
    sum of n[0] i[1] + n[1] i[0], int64.
    """
    signature = types.UniTuple(types.int64, 2)(*[types.intp] * 3)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        names, images, size = args
        vnni = function(builder.module, VNNI, I32x16, [I32x16] * 3)
        zero = ir.Constant(I32x16, [0] * 16)
        i, sums, finish = loop(builder, I64(0), size, 64, [zero] * 3)
        n0, i0, n1, i1 = (
            load(builder, builder.add(base, offset), i, I32x16, 1)
            for offset in (I64(0), size)
            for base in (names, images)
        )
        pairs = ((n0, i0), (n0, i1), (n1, i0))
        sums = finish([builder.call(vnni, [s, *pair]) for s, pair in zip(sums, pairs, strict=True)])
        totals = [
            builder.sext(builder.call(add_up, [x]), I64)
            for add_up in [function(builder.module, "llvm.vector.reduce.add.v16i32", I32, [I32x16])]
            for x in (sums[0], builder.add(sums[1], sums[2]))
        ]
        return context.make_tuple(builder, signature.return_type, totals)

    return signature, codegen
