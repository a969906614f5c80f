"""Which records are test records, and in what order (paper, section 4.1)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgld.keyed import order_key


@dataclass(frozen=True)
class Splits:
    """The split of M records, aligned with the rows they were given in.

    landmark_id int64 [M]. split str [M]: "train" or "test". test_order int64 [M]: 0, 1, ... in the
    fixed order of the test records, -1 in train. test_paper bool [M]: the first half of them (the
    larger half if their number is odd).
    """

    landmark_id: NDArray[np.int64]
    split: NDArray[np.str_]
    test_order: NDArray[np.int64]
    test_paper: NDArray[np.bool_]


def assign_splits(landmark_ids: Any, names: Sequence[str], *, test_size: int, seed: int) -> Splits:
    """Choose exactly `test_size` test records by a hash keyed with `seed` and the *name*.

    landmark_ids: unique integers [M]; names: str [M]. Records whose names are equal (after NFC)
    are on the same side: a group that does not fit into what is left is skipped. The result does
    not depend on the order of the rows; test records are ordered by the same hash, then by landmark
    id.

    ValueError: repeated ids, lengths that differ, `test_size` out of [0, M], or no set of whole
    groups that has exactly `test_size` records.
    """
    ids = np.asarray(landmark_ids)
    if ids.ndim != 1 or (len(ids) and not np.issubdtype(ids.dtype, np.integer)):
        raise ValueError(f"landmark_ids: expected integers [M], got {ids.dtype} {list(ids.shape)}")
    if len(names) != len(ids):
        raise ValueError(f"{len(ids)} landmark ids, but {len(names)} names")
    if len(np.unique(ids)) != len(ids):
        raise ValueError("landmark_ids: an id occurs more than once")
    if not 0 <= test_size <= len(ids):
        raise ValueError(f"test size {test_size}: there are {len(ids)} records")
    groups: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        groups.setdefault(unicodedata.normalize("NFC", name), []).append(row)
    ordered = sorted(groups, key=lambda name: (order_key(seed, "split", name), name))
    sizes = [len(groups[name]) for name in ordered]
    test_rows = [
        row
        for index in _fill(sizes, test_size)
        for row in sorted(groups[ordered[index]], key=lambda row: int(ids[row]))
    ]
    test_order = np.full(len(ids), -1, dtype=np.int64)
    test_order[test_rows] = np.arange(test_size)
    return Splits(
        landmark_id=ids.astype(np.int64),
        split=np.where(test_order >= 0, "test", "train"),
        test_order=test_order,
        test_paper=(test_order >= 0) & (test_order < (test_size + 1) // 2),
    )


def _fill(sizes: list[int], wanted: int) -> list[int]:
    """Indexes, ascending, of sizes that add up to exactly `wanted`: each taken if it fits.

    Where that leaves a rest, each is taken if the later ones can still make up what is missing.
    """
    chosen, rest = [], wanted
    for index, size in enumerate(sizes):
        if size <= rest:
            chosen.append(index)
            rest -= size
    if rest == 0:
        return chosen
    # Bit t of reachable[i] says whether some of sizes[i:] add up to t.
    mask = (1 << (wanted + 1)) - 1
    reachable = [1]
    for size in reversed(sizes):
        reachable.append((reachable[-1] | reachable[-1] << size) & mask)
    reachable.reverse()
    if not reachable[0] >> wanted & 1:
        raise ValueError(
            f"test size {wanted} cannot be reached exactly: records with the same name stay "
            "together; choose another size"
        )
    chosen, rest = [], wanted
    for index, size in enumerate(sizes):
        if size <= rest and reachable[index + 1] >> (rest - size) & 1:
            chosen.append(index)
            rest -= size
    return chosen
