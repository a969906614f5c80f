"""Two runs on the same questions: is the difference more than chance, and how large is it?

Definition: docs/definitions.md, "Metrics". Everything goes by landmark: its questions change sides
together, so that several questions about one landmark do not count as that many witnesses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mgld.evaluate.intervals import (
    CONFIDENCE,
    Interval,
    cluster_sums,
    effective_number,
    wilson,
)
from mgld.keyed import generator

RESAMPLES: Final = 10_000


def sign_flip_p(differences: ArrayLike, codes: NDArray[np.int64]) -> float:
    """The exact two-sided p-value of the paired permutation test.

    differences: whole numbers [n], second run minus first. If the runs were alike, each cluster's
    sum could as well have the other sign; p is the share of all 2^clusters assignments of signs
    whose total is at least as far from 0 as the one seen. All of them are counted, by convolution,
    so that nothing is drawn. On recognised or not (1, 0, -1) with a question for each landmark this
    is McNemar's exact test (a binomial test of the changed questions).
    """
    sums = np.abs(cluster_sums(differences, codes))
    if not np.array_equal(sums, np.round(sums)):
        raise ValueError("the exact test is for whole differences")
    seen = abs(round(float(np.sum(cluster_sums(differences, codes)))))
    sizes, counts = np.unique(sums[sums > 0].astype(np.int64), return_counts=True)
    return flip_p(dict(zip(sizes.tolist(), counts.tolist(), strict=True)), seen)


def flip_p(counts: Mapping[int, int], seen: int) -> float:
    """The same from how many clusters (value) have a sum of which size (key, 1 or more).

    seen: how far from 0 the total is.
    """
    # Cluster sums of the same size m together: m * (2 Binomial(k, 1/2) - k), k of them.
    distribution = np.ones(1)
    for size, k in sorted(counts.items()):
        steps = np.zeros(2 * size * k + 1)
        steps[:: 2 * size] = _binomial_half(k)
        distribution = np.convolve(distribution, steps)
    reach = len(distribution) // 2  # distribution[reach + t] is the probability of a total of t
    far = np.abs(np.arange(-reach, reach + 1)) >= seen
    return min(1.0, math.fsum(distribution[far]))


def _binomial_half(k: int) -> NDArray[np.float64]:
    """Probabilities of 0 to k heads of k fair coins, float64 [k + 1]; 0 where below 1e-308."""
    logs = [math.lgamma(k + 1) - math.lgamma(i + 1) - math.lgamma(k - i + 1) for i in range(k + 1)]
    return np.exp(np.array(logs) - k * math.log(2))


def share_difference(
    first: NDArray[np.bool_], second: NDArray[np.bool_], codes: NDArray[np.int64]
) -> Interval | None:
    """The interval of share(second) - share(first) on the same questions; None where there is none.

    Newcombe's square-and-add interval for paired shares (1998, Stat. Med. 17:2635-2650, method 8)
    from the two Wilson limits and the correlation of the two shares; with clusters, limits and
    correlation are those of the cluster totals.
    """
    if not len(first):
        return None
    shares = [float(np.mean(each)) for each in (first, second)]
    limits = [
        wilson(share, effective_number(each, codes))
        for share, each in zip(shares, (first, second), strict=True)
    ]
    sizes = np.bincount(codes)
    residuals = [
        cluster_sums(each, codes) - share * sizes
        for share, each in zip(shares, (first, second), strict=True)
    ]
    norm = math.sqrt(float(np.sum(residuals[0] ** 2)) * float(np.sum(residuals[1] ** 2)))
    rho = float(residuals[0] @ residuals[1]) / norm if norm > 0 else 0.0
    low_1, high_1 = shares[0] - limits[0][0], limits[0][1] - shares[0]
    low_2, high_2 = shares[1] - limits[1][0], limits[1][1] - shares[1]
    difference = shares[1] - shares[0]
    return Interval(
        low=difference - math.sqrt(max(0.0, low_2**2 + high_1**2 - 2 * rho * low_2 * high_1)),
        high=difference + math.sqrt(max(0.0, high_2**2 + low_1**2 - 2 * rho * high_2 * low_1)),
        method="newcombe" if len(sizes) == len(first) else "clustered newcombe",
    )


def mean_difference(differences: ArrayLike, codes: NDArray[np.int64], seed: int) -> Interval | None:
    """The interval of the mean of `differences`: 10,000 keyed resamples of clusters, percentiles.

    None with fewer than two clusters. It has no width where all differences are equal.
    """
    sums, sizes = cluster_sums(differences, codes), np.bincount(codes)
    if len(sizes) < 2:
        return None
    # Clusters with the same sum and size are the same to the mean: resample how many of each kind.
    kinds, counts = np.unique(np.stack([sums, sizes], axis=1), axis=0, return_counts=True)
    draws = generator(seed, "compare", "mean_difference").multinomial(
        len(sizes), counts / len(sizes), size=RESAMPLES
    )
    means = (draws @ kinds[:, 0]) / (draws @ kinds[:, 1])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(low=float(low), high=float(high), method="bootstrap")


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (1979, Scand. J. Stat. 6:65-70), in the order given."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, row in enumerate(sorted(range(len(p_values)), key=lambda row: p_values[row])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[row]))
        adjusted[row] = highest
    return adjusted
