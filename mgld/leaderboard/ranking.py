"""Ranks of submissions to one board, with intervals that hold for all of them at once.

Every pair is tested as `mgld compare` does, exactly and by landmark, on the questions that are
scored in both; Holm's method keeps the chance of any wrong decision among all pairs at 5 %. A
submission's rank is at least 1 + the number of those that are shown to be better, and at most all
but those shown to be worse. So the intervals of a board hold the ranks of the true accuracies,
all together, with 95 % confidence (pairwise comparisons turned into ranks as in Al Mohamad, Goeman
and van Zwet, "Simultaneous confidence intervals for ranks with application to ranking
institutions"). Where landmarks have several questions, a test is of whether the two submissions
could exchange a landmark's outcomes.

The rank itself goes by accuracy, each over its own scored questions, but never against what a test
has shown on the questions of both: leaving hard questions unscored wins no place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mgld.evaluate.intervals import CONFIDENCE, cluster_codes
from mgld.evaluate.paired import flip_p, holm

ALPHA: Final = 1 - CONFIDENCE


@dataclass(frozen=True)
class Rank:
    """rank: 1 + the number with a higher accuracy, within its interval; low, high: the interval."""

    rank: int
    low: int
    high: int


def rank_intervals(outcomes: Sequence[str], landmarks: Sequence[int]) -> list[Rank | None]:
    """The rank of each submission; None for one with no scored question, which has none.

    outcomes: of each, the letters of `Entry.outcomes`, about the same questions in one order.
    landmarks: of these questions. ValueError where lengths differ.
    """
    if any(len(each) != len(landmarks) for each in outcomes):
        raise ValueError(f"a submission does not have one outcome for each of {len(landmarks)}")
    letters = np.frombuffer("".join(outcomes).encode("ascii"), dtype=np.uint8)
    letters = letters.reshape(len(outcomes), len(landmarks))
    right = (letters == ord("S")) | (letters == ord("K"))
    wrong = ~right & (letters != ord("-"))
    scored = right.sum(axis=1) + wrong.sum(axis=1)
    ranked = np.flatnonzero(scored)
    right, wrong = right[ranked], wrong[ranked]
    accuracy = right.sum(axis=1) / scored[ranked]
    codes = cluster_codes(landmarks, len(landmarks))
    better, worse = _decided(right, wrong, codes)
    ranks: list[Rank | None] = [None] * len(outcomes)
    for place, row in enumerate(ranked.tolist()):
        low, high = 1 + int(better[place]), len(ranked) - int(worse[place])
        by_accuracy = 1 + int(np.sum(accuracy > accuracy[place]))
        ranks[row] = Rank(rank=min(max(by_accuracy, low), high), low=low, high=high)
    return ranks


def _decided(
    right: NDArray[np.bool_], wrong: NDArray[np.bool_], codes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many others are shown to be better, and worse, than each of the n: int64 [n], twice."""
    n = len(right)
    if n < 2:
        return np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    first, second = np.triu_indices(n, 1)
    alone = np.bincount(codes)[codes] == 1
    # Counts of up to 5,000 questions are exact in float32, whose products are the fastest.
    wins = _wins(right, wrong)
    lead = (wins - wins.T)[first, second]
    single = _wins(right[:, alone], wrong[:, alone])
    ones = (single + single.T)[first, second]
    if alone.all():
        p_values = _binomial_p(ones, np.abs(lead))
    else:
        sizes = _cluster_sizes(right[:, ~alone], wrong[:, ~alone], codes[~alone])[first, second]
        sizes[:, 0] += ones
        p_values = _flip_p(sizes, np.abs(lead))
    decided = np.array(holm(p_values.tolist()), dtype=np.float64) <= ALPHA
    up = first[decided & (lead > 0)], second[decided & (lead > 0)]
    down = second[decided & (lead < 0)], first[decided & (lead < 0)]
    winners, losers = (np.concatenate(pair) for pair in zip(up, down, strict=True))
    return np.bincount(losers, minlength=n), np.bincount(winners, minlength=n)


def _wins(right: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> NDArray[np.int64]:
    """[n, n]: how many questions the row recognises and the column does not."""
    wins: NDArray[np.float32] = right.astype(np.float32) @ wrong.astype(np.float32).T
    return wins.astype(np.int64)


def _cluster_sizes(
    right: NDArray[np.bool_], wrong: NDArray[np.bool_], codes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """[n, n, M]: how many landmarks' differences between two of the n sum to 1, ... M, or less 0.

    The questions are those of landmarks that have several; M is the most that one has.
    """
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    most = int(np.max(np.diff(starts, append=len(order))))
    signed_right, signed_wrong = (each[:, order].astype(np.int16) for each in (right, wrong))
    found = np.zeros((len(right), len(right), most), dtype=np.int64)
    for row in range(len(right)):
        steps = signed_right[row] * signed_wrong - signed_wrong[row] * signed_right
        sums = np.abs(np.add.reduceat(steps, starts, axis=1))
        for size in range(1, most + 1):
            found[row, :, size - 1] = np.sum(sums == size, axis=1)
    return found


def _binomial_p(ones: NDArray[np.int64], seen: NDArray[np.int64]) -> NDArray[np.float64]:
    """McNemar's exact test of each pair: `ones` questions changed, the wins differ by `seen`."""
    found = np.ones(len(ones))
    most = int(ones.max(initial=0))
    logs = np.array([math.lgamma(i + 1) for i in range(most + 1)])
    order = np.argsort(ones, kind="stable")
    for of_k in np.split(order, np.flatnonzero(np.diff(ones[order])) + 1) if len(order) else ():
        k = int(ones[of_k[0]])
        heads = logs[k] - logs[: k + 1] - logs[k::-1] - k * math.log(2)
        below = np.cumsum(np.exp(heads))  # from the least probable: nothing small is lost
        found[of_k] = np.minimum(1.0, 2 * below[(k - seen[of_k]) // 2])
    return found


def _flip_p(sizes: NDArray[np.int64], seen: NDArray[np.int64]) -> NDArray[np.float64]:
    """The exact paired test of each pair, from its landmarks' sums [pairs, M].

    Where Hoeffding's bound, 2 exp(-seen^2 / (2 sum of squares)), is already below what Holm's
    method asks of the smallest p-value, the bound stands in its place: the decision is the same,
    and most of a large board's pairs need no more.
    """
    squares = sizes @ (np.arange(1, sizes.shape[1] + 1) ** 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = 2 * np.exp(-(seen**2) / (2 * squares))
    found = np.where(bound <= ALPHA / len(seen), bound, 1.0)
    known: dict[tuple[int, ...], float] = {}
    for pair in np.flatnonzero(~(bound <= ALPHA / len(seen)) & (squares > 0)).tolist():
        key = (int(seen[pair]), *sizes[pair].tolist())
        if key not in known:
            counts = {size: k for size, k in enumerate(key[1:], 1) if k}
            known[key] = flip_p(counts, key[0])
        found[pair] = known[key]
    return found
