"""How well a score finds those that have a property: ROC, its area, and how sure that is."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mgld.evaluate.intervals import Z

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def area(score: Floats, positive: Bools) -> float:
    """The area under the ROC curve: how often a positive is above a negative, ties counted half."""
    return float(np.mean(placements(score, positive)[0]))


def placements(score: Floats, positive: Bools) -> tuple[Floats, Floats]:
    """Of each positive the share of negatives below it, of each negative that of positives above.

    Ties count half; float64 [positives] and [negatives]. Both means are the area. ValueError where
    either is empty.
    """
    up, down = score[positive], score[~positive]
    if not len(up) or not len(down):
        raise ValueError(f"{len(up)} positives, {len(down)} negatives: there is no ROC")
    low, high = np.sort(down), np.sort(up)
    below = (np.searchsorted(low, up, "left") + np.searchsorted(low, up, "right")) / 2
    not_above = (np.searchsorted(high, down, "left") + np.searchsorted(high, down, "right")) / 2
    return below / len(down), 1 - not_above / len(up)


def area_interval(auc: float, positives: int, negatives: int) -> tuple[float, float]:
    """The 95 % interval of an area (Newcombe 2006, Stat. Med. 25:559-573, method 5).

    The areas from which `auc` is just as far as 1.96 of their own standard errors (Hanley and
    McNeil's, with the mean of both numbers for each). It has width also where `auc` is 0 or 1.
    """

    def excess(theta: float) -> float:
        n = (positives + negatives) / 2
        shape = 1 + (n - 1) * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        variance = theta * (1 - theta) * shape / (positives * negatives)
        return abs(auc - theta) - Z * math.sqrt(variance)

    def root(inside: float, outside: float) -> float:
        """Where `excess` turns from below 0 to above it."""
        if excess(outside) <= 0:
            return outside
        for _ in range(60):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if excess(middle) <= 0 else (inside, middle)
        return inside

    # At 0 and 1 a standard error of 0 would make the limit itself the answer: start just inside.
    start = min(max(auc, 1e-9), 1 - 1e-9)
    low = 0.0 if auc == 0 else root(start, 1e-12)
    return low, 1.0 if auc == 1 else root(start, 1 - 1e-12)


def area_difference(first: Floats, second: Floats, positive: Bools) -> tuple[float, float, float]:
    """area(first) - area(second) on the same items, with its 95 % interval.

    DeLong, DeLong and Clarke-Pearson 1988 (Biometrics 44:837-845): from the variances of the
    differences of the placements.
    """
    (up_1, down_1), (up_2, down_2) = placements(first, positive), placements(second, positive)
    up, down = up_1 - up_2, down_1 - down_2
    difference = float(np.mean(up))
    variance = 0.0
    for part in (up, down):
        if len(part) > 1:
            variance += float(part.var(ddof=1)) / len(part)
    reach = Z * math.sqrt(variance)
    return difference, difference - reach, difference + reach


def roc(score: Floats, positive: Bools) -> tuple[Floats, Floats]:
    """The curve's corners: false positive rate and true positive rate, from (0, 0) to (1, 1)."""
    order = np.argsort(-score, kind="stable")
    ranked, hits = score[order], positive[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    true = np.cumsum(hits)[last] / max(1, int(positive.sum()))
    false = np.cumsum(~hits)[last] / max(1, int((~positive).sum()))
    return np.append(0.0, false), np.append(0.0, true)


def roc_at(score: Floats, positive: Bools, false_rates: Floats) -> Floats:
    """The highest true positive rate at each false positive rate; ties are drawn as a line."""
    false, true = roc(score, positive)
    # On an upright piece the upper end counts.
    keep = np.append(false[1:] != false[:-1], True)
    found: Floats = np.interp(false_rates, false[keep], true[keep])
    return found
