"""Intervals of shares: Wilson's, widened where questions share a landmark.

Definition: docs/definitions.md, "Metrics". Why not a bootstrap of shares: at a share of 0 or 1, and
in small groups, which breakdowns are full of, it is too narrow or has no width at all.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from statistics import NormalDist
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mgld.schema import Record

CONFIDENCE: Final = 0.95
Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
Method = Literal["wilson", "clustered wilson", "newcombe", "clustered newcombe", "bootstrap"]


class Interval(Record):
    """A 95 % interval and how it was made."""

    low: float
    high: float
    method: Method


def wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's score interval of a share of `n` > 0 (Wilson 1927, JASA 22:209-212), 95 %.

    `n` need not be whole: it may be an effective number. ValueError where n or share is impossible.
    """
    if not (n > 0 and 0 <= share <= 1):
        raise ValueError(f"no interval of a share of {share} of {n}")
    centre = share + Z**2 / (2 * n)
    reach = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    # Rounding must not move the limit off an end where the share lies on it.
    low = 0.0 if share == 0 else (centre - reach) / (1 + Z**2 / n)
    high = 1.0 if share == 1 else (centre + reach) / (1 + Z**2 / n)
    return low, high


def cluster_codes(clusters: Sequence[Hashable] | None, n: int) -> NDArray[np.int64]:
    """The clusters of `n` items numbered from 0, int64 [n]; None: each item is its own.

    ValueError where there is not one cluster for each item.
    """
    if clusters is None:
        return np.arange(n, dtype=np.int64)
    if len(clusters) != n:
        raise ValueError(f"{len(clusters)} clusters for {n} items")
    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(each, len(number)) for each in clusters], dtype=np.int64)


def cluster_sums(values: ArrayLike, codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sum of `values` [n] in each cluster: float64 [clusters]."""
    return np.bincount(codes, weights=np.asarray(values, dtype=np.float64)).astype(np.float64)


def effective_number(hits: NDArray[np.bool_], codes: NDArray[np.int64]) -> float:
    """How many independent items tell as much about the share p of `hits`, at most all n.

    The number m for which their variance, p (1 - p) / (m - 1), is that of the cluster totals
    (Cochran 1977, Sampling Techniques, section 11: a ratio estimate, linearised, C/(C-1)); so n
    where each item is its own cluster, and the number of clusters where these are copies of their
    items. Where no variance can be told (no hit, only hits, one cluster) the items of a cluster
    count as copies of each other: n^2 / sum of squared cluster sizes.
    """
    n = len(hits)
    sizes = np.bincount(codes)
    clusters, share = len(sizes), float(np.mean(hits))
    if clusters == n:
        return float(n)
    if clusters == 1 or share in (0.0, 1.0):
        return float(n**2 / np.sum(sizes.astype(np.float64) ** 2))
    residuals = cluster_sums(hits, codes) - share * sizes
    variance = clusters / (clusters - 1) * float(np.sum(residuals**2)) / n**2
    return min(float(n), 1 + share * (1 - share) / variance) if variance > 0 else float(n)


def share_interval(hits: ArrayLike, clusters: Sequence[Hashable] | None = None) -> Interval | None:
    """The interval of the share of `hits` (bool [n]): Wilson's on the effective number.

    As in Dean and Pagano 2015 (J. Survey Stat. Methodol. 3:484-503). None where n is 0.
    """
    found = np.asarray(hits, dtype=bool)
    if not len(found):
        return None
    codes = cluster_codes(clusters, len(found))
    low, high = wilson(float(np.mean(found)), effective_number(found, codes))
    independent = len(np.bincount(codes)) == len(found)
    return Interval(low=low, high=high, method="wilson" if independent else "clustered wilson")
