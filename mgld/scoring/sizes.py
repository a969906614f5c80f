"""How large the test split and the subsets are by default, and what subsets are called."""

from __future__ import annotations

import re

from mgld.scoring.subsets import METHODS

REAL_SCALE = 50_000  # records from which on the paper's sizes are used
_PAPER_TEST = 5_000
_PAPER_SIZES = (25_000, 50_000, 125_000)
_CONFIG = re.compile(rf"({'|'.join(METHODS)})([1-9][0-9]*)(k?)")


def default_test_size(records: int) -> int:
    """5,000 test records at the scale of Google Landmarks v2 (50,000 or more), else a tenth."""
    return _PAPER_TEST if records >= REAL_SCALE else records // 10


def default_sizes(pool: int) -> tuple[int, ...]:
    """Subset sizes for `pool` training records, ascending.

    The paper's 25k, 50k and 125k that fit, where the pool is that of a real-scale dataset; else
    1/8, 1/4 and 5/8 of the pool, rounded down to two significant digits (the paper's shares of
    GLDv2). Sizes of 0 are left out.
    """
    if pool >= REAL_SCALE - _PAPER_TEST:
        return tuple(size for size in _PAPER_SIZES if size <= pool)
    shares = (pool // 8, pool // 4, pool * 5 // 8)
    return tuple(sorted({_two_digits(size) for size in shares} - {0}))


def config_name(method: str, size: int) -> str:
    """The config of a subset: ("hds", 25000) -> "hds25k", ("hds", 2500) -> "hds2500"."""
    if method not in METHODS or size < 1:
        raise ValueError(f"no subset of method {method!r} and size {size}")
    return f"{method}{size // 1000}k" if size % 1000 == 0 else f"{method}{size}"


def parse_config_name(name: str) -> tuple[str, int]:
    """Method and size of a subset's config: "hds25k" and "hds25000" -> ("hds", 25000).

    ValueError if `name` is not a subset's config (such as "full").
    """
    match = _CONFIG.fullmatch(name)
    if match is None:
        raise ValueError(
            f"{name!r} is not a subset: expected {', '.join(METHODS)} and a size, e.g. hds25k"
        )
    method, digits, thousands = match.groups()
    return method, int(digits) * (1000 if thousands else 1)


def _two_digits(number: int) -> int:
    """Rounded down to two significant digits."""
    scale: int = 10 ** max(0, len(str(number)) - 2)
    return number // scale * scale
