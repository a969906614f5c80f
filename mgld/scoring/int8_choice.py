"""Whether the int8 engine is worth its start: on this machine, for a product of this size."""

from __future__ import annotations

import time
import warnings
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mgld.scoring.engine import Engine

# Multiply-adds below which compiling (once a process, about four seconds) is not worth it.
LEAST_PRODUCTS = 2**38
MAX_DIM = 1 << 14  # sums of products of bytes stay below 2^31
MAX_NAMES = 1 << 31
_FEATURES = frozenset({"avx512f", "avx512bw", "avx512vl", "avx512vnni"})
_UNDERNEATH = frozenset({"avx", "avx2", "fma", "f16c"})  # without one of these LLVM drops them


def int8_pays(images: int, names: int, dim: int) -> bool:
    """Whether `Int8Engine` is the fastest way for float32 [images, dim] and [names, dim]."""
    fits = dim <= MAX_DIM and names < MAX_NAMES
    return fits and images * names * dim >= LEAST_PRODUCTS and _fast_bytes() and _faster()


@cache
def _fast_bytes() -> bool:
    """Whether numba is installed and compiles for bytes multiplied at once (AVX-512 VNNI).

    What it compiles for is this processor, less what NUMBA_CPU_NAME, NUMBA_CPU_FEATURES and
    NUMBA_ENABLE_AVX withhold. LLVM ends the process over an instruction that its target lacks.
    """
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    said = _target_features().split(",")
    has, lacks = ({s[1:] for s in said if s[:1] == sign} for sign in "+-")
    return has >= _FEATURES and not lacks & (_FEATURES | _UNDERNEATH)


def _target_features() -> str:
    """What numba has LLVM compile for: "+avx2,-avx512f,..."; "" if it leaves that to LLVM."""
    from numba.core.registry import cpu_target

    features: str = cpu_target.target_context.codegen().magic_tuple()[2]
    return features


@cache
def _faster() -> bool:
    """Whether the int8 engine compiles and beats the float32 engine here, on a small product."""
    from numba.core.errors import NumbaError

    from mgld.scoring.dense_engine import DenseEngine
    from mgld.scoring.distinct import distinct
    from mgld.scoring.int8_engine import Int8Engine

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2816, 768))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    images, names = rows[:768], distinct(rows[768:])
    try:
        int8 = _seconds(Int8Engine(names, images), images)
    except (NumbaError, RuntimeError) as error:  # a numba whose LLVM speaks another dialect
        warnings.warn(
            f"scores are computed in float32, slower and as exact: no int8 ({error})", stacklevel=2
        )
        return False
    return int8 < _seconds(DenseEngine(names, "cpu"), images)


def _seconds(engine: Engine, images: NDArray[np.float32]) -> float:
    """The least of a few rounds; the first compiles and warms up."""
    own_sim = np.full(len(images), 0.1)  # as high as one in 400, so that few are undecided
    rounds = []
    for _ in range(4):
        start = time.perf_counter()
        for begin in range(0, len(images), engine.image_block):
            part = slice(begin, begin + engine.image_block)
            list(engine.sift(images[part], own_sim[part], 10))
        rounds.append(time.perf_counter() - start)
    return min(rounds)
