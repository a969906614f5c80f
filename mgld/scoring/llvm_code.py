"""Bits of LLVM code that numba compiles, where neither NumPy nor plain numba can say what is meant.

The functions written with them (numba's `intrinsic`) take addresses as integers: the callers keep
the arrays alive and see to their layout.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

I1, I16, I32, I64 = (ir.IntType(n) for n in (1, 16, 32, 64))
F32, F64 = ir.FloatType(), ir.DoubleType()
I32x16, F32x16 = ir.VectorType(I32, 16), ir.VectorType(F32, 16)


F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """numba's `njit` without the GIL: compiled at the first call, in each process."""
    result: F = njit(nogil=True)(function)
    return result


def summing(function: F) -> F:
    """As `compiled`, its sums in any order, so that they are made sixteen or eight at a time."""
    result: F = njit(nogil=True, fastmath={"reassoc"})(function)
    return result


def machine_code(function: Callable[..., Any]) -> Callable[..., Any]:
    """numba's `intrinsic`: what a `compiled` function calls by this name is LLVM code."""
    result: Callable[..., Any] = intrinsic(function)
    return result


def function(module: ir.Module, name: str, result: ir.Type, arguments: list[ir.Type]) -> Any:
    """An LLVM intrinsic or other function by its name."""
    known = module.globals.get(name)
    return known or ir.Function(module, ir.FunctionType(result, arguments), name)


def load(builder: ir.IRBuilder, address: Any, offset: Any, type_: ir.Type, align: int = 4) -> Any:
    """Load `type_` from the byte address + offset (an int or an i64 value)."""
    where = builder.add(address, I64(offset) if isinstance(offset, int) else offset)
    return builder.load(builder.inttoptr(where, type_.as_pointer()), align=align)


def splat(builder: ir.IRBuilder, scalar: Any, vector: ir.VectorType) -> Any:
    """A vector with `scalar` in every lane."""
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, scalar, I32(0))
    return builder.shuffle_vector(
        first, nothing, ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count)
    )


def loop(builder: ir.IRBuilder, start: Any, stop: Any, step: int, state: list[Any]) -> Any:
    """Begin `for i in range(start, stop, step)` over `state`; returns (i, its values, finish).

    `finish(new values)` ends the body and returns the values after the loop.
    """
    before = builder.block
    head = builder.append_basic_block("head")
    body = builder.append_basic_block("body")
    after = builder.append_basic_block("after")
    builder.branch(head)
    builder.position_at_end(head)
    i = builder.phi(I64)
    values = [builder.phi(x.type) for x in state]
    builder.cbranch(builder.icmp_signed("<", i, stop), body, after)
    builder.position_at_end(body)

    def finish(new: list[Any]) -> list[Any]:
        i.add_incoming(start, before)
        i.add_incoming(builder.add(i, I64(step)), builder.block)
        for value, first, later in zip(values, state, new, strict=True):
            value.add_incoming(first, before)
            value.add_incoming(later, builder.block)
        builder.branch(head)
        builder.position_at_end(after)
        return values

    return i, values, finish


def sum_lanes(builder: ir.IRBuilder, vector: Any) -> Any:
    """The sum of a vector's lanes by halves: log2(lanes) additions deep."""
    while vector.type.count > 1:
        half = vector.type.count // 2
        parts = [
            builder.shuffle_vector(
                vector,
                vector,
                ir.Constant(ir.VectorType(I32, half), list(range(at, at + half))),
            )
            for at in (0, half)
        ]
        vector = builder.fadd(*parts)
    return builder.extract_element(vector, I32(0))


@machine_code
def load32(_context: Any, address: Any) -> Any:
    """The float32 at an address."""

    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> Any:
        return load(builder, args[0], 0, F32)

    return types.float32(types.intp), codegen


@machine_code
def count_bits(_context: Any, word: Any) -> Any:
    """How many bits of a uint64 are set."""

    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


@machine_code
def lowest_bit(_context: Any, word: Any) -> Any:
    """The number of the lowest bit set in a uint64 that is not 0."""

    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], I1(1))

    return types.int64(types.uint64), codegen


@machine_code
def butterfly(_context: Any, a: Any, b: Any) -> Any:
    """Replace the 16 float32 at each of two addresses by their sums and by their differences."""

    def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> Any:
        a, b = (builder.inttoptr(address, F32x16.as_pointer()) for address in args)
        x, y = builder.load(a, align=4), builder.load(b, align=4)
        builder.store(builder.fadd(x, y), a, align=4)
        builder.store(builder.fsub(x, y), b, align=4)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), codegen
