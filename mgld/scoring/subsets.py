"""The subsets HDS, HSS, LCS and BRS (paper, section 3.2; docs/definitions.md, "Subsets")."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgld.keyed import order_key

METHODS = ("hds", "hss", "lcs", "brs")


def select(
    sim: Any,
    rank: Any,
    rsr: Any,
    margin: Any,
    landmark_id: Any,
    *,
    method: str,
    size: int,
    seed: int = 0,
    exclude: Any = None,
) -> NDArray[np.int64]:
    """Row positions of the best `size` records by `method`, best first: int64 [size].

    - hds: by rank ascending, then margin descending
    - hss: by Sim descending
    - lcs: by max(percentile of Sim, percentile of RSR) ascending; percentiles over the candidates
    - brs: by a hash keyed with `seed` and the landmark id

    Last tie-break: landmark id ascending. The subset of size k is a prefix of that of size k' > k,
    and no result depends on the order of the rows.

    Args:
        sim: float [M].
        rank: integer [M].
        rsr: float [M].
        margin: float [M].
        landmark_id: integer [M], each once.
        method: "hds", "hss", "lcs" or "brs".
        size: how many.
        seed: of the hash of brs; the other methods draw nothing.
        exclude: bool [M], rows that are no candidates (test records, records without scores);
            None: all are.

    Returns:
        int64 [size], positions in the given arrays.

    Raises:
        ValueError: unknown method, a size that is negative or more than the candidates, shapes that
            differ, repeated landmark ids, NaN in a candidate's scores (excluded rows may hold NaN).
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r}: must be one of {', '.join(METHODS)}")
    ids = _column("landmark_id", landmark_id, len(np.asarray(landmark_id)), np.integer)
    values, repeats = np.unique(ids, return_counts=True)
    if (repeats > 1).any():
        raise ValueError(f"landmark_id {values[repeats > 1][0]} occurs more than once")
    sims = _column("sim", sim, len(ids), np.floating)
    ranks = _column("rank", rank, len(ids), np.integer)
    rsrs = _column("rsr", rsr, len(ids), np.floating)
    margins = _column("margin", margin, len(ids), np.floating)
    excluded = _excluded(exclude, len(ids))
    rows = np.flatnonzero(~excluded)
    if not 0 <= size <= len(rows):
        raise ValueError(
            f"size {size}: there are {len(rows)} candidates "
            f"({len(ids)} records, {len(ids) - len(rows)} of them excluded)"
        )
    for label, column in (("sim", sims), ("rsr", rsrs), ("margin", margins)):
        bad = rows[np.isnan(column[rows])]
        if len(bad):
            raise ValueError(f"{label}[{bad[0]}] is NaN (landmark {ids[bad[0]]}): exclude the row")
    keys: tuple[NDArray[Any], ...]  # the most important last, as lexsort wants them
    if method == "hds":
        keys = (-margins[rows], ranks[rows])
    elif method == "hss":
        keys = (-sims[rows],)
    elif method == "lcs":
        keys = (np.maximum(percentiles(sims, excluded), percentiles(rsrs, excluded))[rows],)
    else:
        keyed = [order_key(seed, "brs", int(key)) for key in ids[rows]]
        keys = (np.array(keyed, dtype=np.uint64),)
    return rows[np.lexsort((ids[rows], *keys))][:size]


def percentiles(x: Any, exclude: Any = None) -> NDArray[np.float64]:
    """Mid-rank percentiles in (0, 1): (number below + half the number equal) / candidates.

    The number equal counts the row itself.

    Args:
        x: numbers [M].
        exclude: bool [M], rows that are no candidates; None: all are.

    Returns:
        float64 [M], nan in excluded rows.

    Raises:
        ValueError: NaN in a candidate.
    """
    values = np.asarray(x)
    candidates = ~_excluded(exclude, len(values))
    chosen = values[candidates]
    if np.isnan(chosen).any():
        raise ValueError("percentiles: NaN among the candidates; exclude those rows")
    ordered = np.sort(chosen)
    below = np.searchsorted(ordered, chosen, side="left")
    below_or_equal = np.searchsorted(ordered, chosen, side="right")
    result = np.full(len(values), np.nan)
    result[candidates] = (below + below_or_equal) / (2 * max(1, len(chosen)))
    return result


def _column(label: str, x: Any, length: int, kind: Any) -> NDArray[Any]:
    """`x` as an array [length] of a kind of NumPy scalars (np.integer, np.floating, np.bool_)."""
    array: NDArray[Any] = np.asarray(x)
    if array.shape != (length,):
        raise ValueError(f"{label}: expected shape [{length}], got {list(array.shape)}")
    if length and not np.issubdtype(array.dtype, kind):
        raise ValueError(f"{label}: expected {kind.__name__} numbers, got {array.dtype}")
    return array


def _excluded(exclude: Any, length: int) -> NDArray[np.bool_]:
    """`exclude` as bool [length], all False if None."""
    if exclude is None:
        return np.zeros(length, dtype=np.bool_)
    array: NDArray[np.bool_] = _column("exclude", exclude, length, np.bool_)
    return array.astype(np.bool_)
