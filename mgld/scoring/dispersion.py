"""How image vectors spread within and between categories (paper, section 3.2 and Figure 3).

The paper reads off t-SNE plots that HDS is dispersed within categories, HSS compact and well
separated, LCS of little variability within and blurred between. A t-SNE keeps no distances, so that
the claims are measured here on the vectors themselves, and held against random subsets of the same
size. Definitions: docs/definitions.md, "Dispersion".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mgld.keyed import generator

MEASURES: Final = ("within", "between", "ratio", "silhouette", "unevenness")
DRAWS: Final = 400
"""Random subsets that a subset is held against."""

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Reference:
    """What random subsets have: mean, the middle 95 % of them, and the two-sided p of the value."""

    mean: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Dispersion:
    """One measure of one subset; None where it is not defined.

    records, categories: how many have a label, and how many labels they have. random: against
    random subsets of the same size, which is what BRS is one of. same_categories: against random
    records of the same categories in the same numbers, which leaves only what was chosen *within*
    the categories; None for `unevenness`, which is a number of those numbers alone.
    """

    subset: str
    measure: str
    value: float | None
    records: int
    categories: int
    random: Reference | None
    same_categories: Reference | None


def measure_dispersion(
    vectors: NDArray[np.float32],
    label: Sequence[str | None],
    subsets: Mapping[str, BoolArray],
    *,
    candidates: BoolArray | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Dispersion]:
    """MEASURES of each subset, in its order, against `draws` random ones.

    vectors: float [M, d], of length 1; label: M categories, None for a record without, which counts
    in no measure; subsets: name -> bool [M]; candidates: bool [M], what random subsets are drawn
    from (None: all; a subset should lie within it).

    - within: mean of half the squared distance of two records of one category, which for unit
      vectors is 1 - cosine. Pooled over categories: sum of squares within / (n - C) for n records
      in C categories.
    - between: what the category means differ by beyond the spread within, as a variance: the
      component of a one-way analysis of variance, (MSB - within) / n0. Unbiased for any sizes of
      categories, and so may be slightly negative where there is nothing between them.
    - ratio: between / within.
    - silhouette: mean of (b - a) / max(a, b) by cosine distance, a the mean distance to the others
      of the own category, b the smallest mean distance to another one; 0 where a category has one.
    - unevenness: standard deviation / mean of the numbers of records per category.

    The first three need a category of two, and all but `within` two categories. ValueError where
    shapes do not fit or `draws` is below 1.
    """
    count = len(vectors)
    pool = np.ones(count, dtype=np.bool_) if candidates is None else candidates
    if {len(label), len(pool), *map(len, subsets.values())} != {count} or vectors.ndim != 2:
        raise ValueError("vectors, label, subsets and candidates are not about the same records")
    if draws < 1:
        raise ValueError("at least one random subset is needed")
    names = sorted({text for text in label if text is not None})
    code_of: dict[str | None, int] = {text: code for code, text in enumerate(names)}
    code = np.array([code_of.get(text, -1) for text in label], dtype=np.int64)
    random: dict[int, FloatArray] = {}  # by size: subsets of one size share what they are held to
    found = []
    for name, mask in subsets.items():
        size = int(mask.sum())
        if size not in random:
            random[size] = _random(vectors, code, np.flatnonzero(pool), size, draws, seed)
        chosen = np.flatnonzero(mask & (code >= 0))
        values = _measures(vectors[chosen], code[chosen])
        alike = _alike(vectors, code, pool, code[chosen], draws, seed)
        for k, measure in enumerate(MEASURES):
            value = None if np.isnan(values[k]) else float(values[k])
            found.append(
                Dispersion(
                    subset=name,
                    measure=measure,
                    value=value,
                    records=len(chosen),
                    categories=len(np.unique(code[chosen])),
                    random=_reference(value, random[size][:, k]),
                    same_categories=None
                    if measure == "unevenness"
                    else _reference(value, alike[:, k]),
                )
            )
    return found


def _measures(vectors: NDArray[np.float32], code: IntArray) -> FloatArray:
    """MEASURES of n labelled vectors [n, d]; nan where one is not defined."""
    order = np.argsort(code, kind="stable")
    unit = vectors[order].astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    n = len(unit)
    result = np.full(len(MEASURES), np.nan)
    if n == 0:
        return result
    _, starts, sizes = np.unique(code[order], return_index=True, return_counts=True)
    sums = np.add.reduceat(unit, starts, axis=0)  # [C, d]
    groups = len(sizes)
    by_group = float((np.square(sums).sum(1) / sizes).sum())
    if n > groups:
        result[0] = (n - by_group) / (n - groups)
    if groups > 1:
        result[4] = sizes.std() / sizes.mean()
    if n > groups > 1:
        mean_square = (by_group - float(np.square(sums.sum(0)).sum()) / n) / (groups - 1)
        typical = (n - float(np.square(sizes).sum()) / n) / (groups - 1)
        result[1] = (mean_square - result[0]) / typical
        # Without any spread within, how many times as large the spread between is has no answer.
        result[2] = result[1] / result[0] if result[0] > 1e-12 else np.nan
        result[3] = _silhouette(unit, sums, sizes)
    return result


def _silhouette(unit: FloatArray, sums: FloatArray, sizes: IntArray) -> float:
    """Mean silhouette of vectors sorted by category: a mean cosine is a product with a sum."""
    own = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.arange(len(unit))
    cosine = unit @ sums.T  # [n, C], sums over the members of each category
    others = sizes[own] - 1
    itself = np.square(unit).sum(1)
    inner = 1 - (cosine[rows, own] - itself) / np.maximum(others, 1)
    distance = 1 - cosine / sizes
    distance[rows, own] = np.inf
    outer = distance.min(1)
    most = np.maximum(inner, outer)
    score = np.where((others > 0) & (most > 0), (outer - inner) / np.where(most > 0, most, 1), 0.0)
    return float(score.mean())


def _random(
    vectors: NDArray[np.float32], code: IntArray, pool: IntArray, size: int, draws: int, seed: int
) -> FloatArray:
    """Measures [draws, 5] of random subsets of `size` records of `pool`."""
    rows = []
    for draw in range(draws):
        chosen = generator(seed, "dispersion-random", draw).choice(
            pool, min(size, len(pool)), replace=False
        )
        chosen = chosen[code[chosen] >= 0]
        rows.append(_measures(vectors[chosen], code[chosen]))
    return np.array(rows)


def _alike(
    vectors: NDArray[np.float32],
    code: IntArray,
    pool: BoolArray,
    wanted: IntArray,
    draws: int,
    seed: int,
) -> FloatArray:
    """Measures [draws, 5] of random records of `pool` with the categories `wanted`."""
    kinds, numbers = np.unique(wanted, return_counts=True)
    members = [np.flatnonzero(pool & (code == kind)) for kind in kinds]
    rows = []
    for draw in range(draws):
        random = generator(seed, "dispersion-alike", draw)
        parts = [
            random.choice(of, min(int(number), len(of)), replace=False)
            for of, number in zip(members, numbers, strict=True)
        ]
        chosen = np.concatenate(parts) if parts else np.empty(0, np.int64)
        rows.append(_measures(vectors[chosen], code[chosen]))
    return np.array(rows)


def _reference(value: float | None, drawn: FloatArray) -> Reference | None:
    """Where `value` stands among the drawn ones; None where one side has none."""
    drawn = drawn[~np.isnan(drawn)]
    if value is None or len(drawn) == 0:
        return None
    low, high = np.percentile(drawn, [2.5, 97.5]).tolist()
    # Values of the very same records differ by rounding: they are equal.
    slack = 1e-12
    below, above = int((drawn <= value + slack).sum()), int((drawn >= value - slack).sum())
    p = min(1.0, 2 * (1 + min(below, above)) / (1 + len(drawn)))
    return Reference(float(drawn.mean()), low, high, p)
