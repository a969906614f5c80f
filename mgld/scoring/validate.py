"""Refuses what cannot be scored, naming the first bad row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LENGTH_TOLERANCE = 1e-3  # docs/definitions.md, "Sim"
_BLOCK_ELEMENTS = 1 << 22


def vectors(label: str, x: Any) -> NDArray[np.float32]:
    """Check that `x` is float32 [rows, d] with unit rows; return it as an array (no copy).

    `label` ("image" or "name") begins the message of the ValueError: "image row 7: ...".
    Memmaps stay on disk: rows are read in blocks.
    """
    array: NDArray[np.float32] = np.asarray(x)
    if array.dtype != np.float32:
        raise ValueError(f"{label} vectors: expected float32, got {array.dtype}")
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"{label} vectors: expected shape [rows, d], got {list(array.shape)}")
    step = max(1, _BLOCK_ELEMENTS // array.shape[1])
    for start in range(0, len(array), step):
        block = array[start : start + step]
        with np.errstate(over="ignore", invalid="ignore"):
            length = np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64))
            # Written so that NaN counts as bad.
            bad = np.flatnonzero(~(np.abs(length - 1.0) <= LENGTH_TOLERANCE))
        if len(bad):
            row = int(bad[0])
            if not np.isfinite(block[row]).all():
                raise ValueError(f"{label} row {start + row}: holds NaN or inf")
            raise ValueError(
                f"{label} row {start + row}: length {length[row]:.6g}, not 1 to {LENGTH_TOLERANCE}"
            )
    return array


def own_rows(own: Any, images: int, names: int) -> NDArray[np.int64]:
    """Check that `own` is an integer [images] of rows of the names; return it as int64."""
    array: NDArray[Any] = np.asarray(own)
    if array.ndim == 1 and len(array) == 0 == images:
        return np.empty(0, dtype=np.int64)  # an empty list has no integer dtype
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"own: expected integers (rows of names), got {array.dtype}")
    if array.shape != (images,):
        raise ValueError(f"own: expected shape [{images}], one per image, got {list(array.shape)}")
    bad = np.flatnonzero((array < 0) | (array >= names))
    if len(bad):
        row = int(bad[0])
        raise ValueError(f"own[{row}] = {array[row]}: not a row of the {names} names")
    return array.astype(np.int64)
