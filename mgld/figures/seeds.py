"""Runs that differ only in their seed: their mean, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class SeedMean(NamedTuple):
    """Mean over `seeds` runs and its 95 % t interval; low and high are None for fewer than two."""

    mean: float
    low: float | None
    high: float | None
    seeds: int


def seed_mean(values: Sequence[float]) -> SeedMean:
    """The mean of one number per seed with its Student-t interval; ValueError for no number.

    The interval is about seeds alone: it takes runs for independent draws of a normal distribution,
    and says nothing of how few questions they were tested on.
    """
    if len(values) == 0:
        raise ValueError("no run: there is no mean")
    mean = float(np.mean(values))
    if len(values) < 2:
        return SeedMean(mean, None, None, len(values))
    from scipy.special import stdtrit

    half = float(stdtrit(len(values) - 1, 0.975) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return SeedMean(mean, mean - half, mean + half, len(values))
