"""A mean over seeds and landmarks with an interval that allows for both being drawn.

Trained again with another seed, and asked about other landmarks, a model would do otherwise; both
count. With v[s, l] what seed s gives on landmark l, and each landmark's weight a[l],

    effect = mean over s of sum over l of a[l] v[s, l]
    V = V_landmarks + max(0, V_seeds - V_both)

V_seeds is the variance of the mean from the seeds' own effects, V_landmarks that from the
landmarks' means over seeds (in clusters: those of one name), and V_both that of what is left of
each seed and landmark, which both of the others hold (two-way clustering: Cameron, Gelbach and
Miller 2011, J. Bus. Econ. Stat. 29:238-249). The interval is Student's with Satterthwaite's degrees
of freedom. In simulations with 600 landmarks it covered 94 to 98 % with 5 seeds, whether those
varied much or not at all, and 92 to 96 % with 3. As a check, percentiles of a two-way bootstrap
(`bootstrap`: seeds and landmarks drawn with replacement) covered 99.8 % where 5 seeds did not vary,
as they count what is left three times, and 91 % where they varied much, as 5 are few to draw from.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mgld.evaluate.intervals import CONFIDENCE, Z, cluster_codes, cluster_sums, wilson
from mgld.evaluate.paired import sign_flip_p
from mgld.keyed import generator
from mgld.schema import Record

RESAMPLES = 2_000
SMALLEST = 1e-15
"""A variance below it is rounding."""
Floats = NDArray[np.float64]


class Estimate(Record):
    """An effect or a mean with its 95 % interval, as shares.

    Attributes:
        effect, low, high: with one seed the interval is over landmarks alone.
        seeds: those it is of; by_seed: each one's own.
        landmarks: scored in all of them; unscored: left out.
        se_seeds, se_landmarks: standard errors from either source; seeds: beyond what single
            answers explain, 0 where that is nothing.
        df: degrees of freedom.
        bootstrap: percentiles of the two-way bootstrap, as a check; None: not asked for.
    """

    effect: float
    low: float
    high: float
    seeds: list[int]
    by_seed: list[float]
    landmarks: int
    unscored: int
    se_seeds: float
    se_landmarks: float
    df: float
    bootstrap: tuple[float, float] | None

    @property
    def nothing_differs(self) -> bool:
        """Whether every value is 0: the interval is then the rule of three's."""
        return self.effect == 0 and self.se_seeds**2 + self.se_landmarks**2 < SMALLEST


def estimate(
    values: Floats,
    *,
    seeds: Sequence[int],
    clusters: Sequence[Hashable],
    groups: NDArray[np.int64] | None = None,
    signs: Sequence[float] = (1.0,),
    bootstrap: bool = False,
) -> Estimate | None:
    """The mean of `values` [S, L] (nan: unscored), or a sum of the means of groups of landmarks.

    seeds: S of them. clusters: L. groups: int64 [L], which group a landmark is in, -1 for none;
    None: all are in group 0. signs: of each group's mean in the sum. bootstrap: make its
    interval, too. None where a group has no scored landmark, or there are no seeds.
    """
    group = np.zeros(values.shape[1], dtype=np.int64) if groups is None else groups
    scored = ~np.isnan(values).any(axis=0) if len(values) else np.zeros(len(group), dtype=bool)
    rows = np.flatnonzero((group >= 0) & scored)
    unscored = int(np.sum((group >= 0) & ~scored))
    v, group = values[:, rows], group[rows]
    members = [group == number for number in range(len(signs))]
    if not len(v) or not all(member.any() for member in members):
        return None
    weights = np.zeros(len(rows))
    for member, sign in zip(members, signs, strict=True):
        weights[member] = sign / member.sum()
    codes = cluster_codes([clusters[int(row)] for row in rows], len(rows))
    by_seed = v @ weights
    mean, (var_seeds, var_landmarks), df = _variances(v, weights, members, codes)
    reach = t_quantile((1 + CONFIDENCE) / 2, df) * math.sqrt(var_seeds + var_landmarks)
    if var_landmarks < SMALLEST:
        # Nothing varies: as far as values in steps of 1 could differ elsewhere (rule of three).
        reach += sum(3 / len(set(codes[member].tolist())) for member in members)
    return Estimate(
        effect=mean,
        low=mean - reach,
        high=mean + reach,
        seeds=list(seeds),
        by_seed=by_seed.tolist(),
        landmarks=len(rows),
        unscored=unscored,
        se_seeds=math.sqrt(var_seeds),
        se_landmarks=math.sqrt(var_landmarks),
        df=df,
        bootstrap=_bootstrap(v, members, signs, codes) if bootstrap else None,
    )


def share(found: Estimate | None) -> Estimate | None:
    """The same for the mean of values of 0 and 1: Wilson's interval, which stays within them.

    On the number of landmarks that would tell as much as the variance says; where all are equal, on
    all of them.
    """
    if found is None:
        return None
    p = min(1.0, max(0.0, round(found.effect, 12)))
    variance = found.se_seeds**2 + found.se_landmarks**2
    n = float(found.landmarks)
    if variance > SMALLEST:
        wider = t_quantile((1 + CONFIDENCE) / 2, found.df) / Z
        n = max(1.0, p * (1 - p) / (variance * wider**2))
    low, high = wilson(p, n)
    return found.model_copy(update={"low": low, "high": high})


def widened(found: Estimate, comparisons: int) -> tuple[float, float]:
    """The interval for one of several comparisons, by Bonferroni: at 1 - 5 % / their number."""
    tail = (1 - CONFIDENCE) / 2
    factor = t_quantile(1 - tail / comparisons, found.df) / t_quantile(1 - tail, found.df)
    return (
        found.effect + factor * (found.low - found.effect),
        found.effect + factor * (found.high - found.effect),
    )


def _variances(
    v: Floats, weights: Floats, members: list[NDArray[np.bool_]], codes: NDArray[np.int64]
) -> tuple[float, tuple[float, float], float]:
    """The mean, its variance from seeds and from landmarks, and the degrees of freedom."""
    seeds, clusters = len(v), int(codes.max()) + 1
    means = v.mean(axis=0)
    centred, left = means.copy(), v - means
    for member in members:
        centred[member] -= means[member].mean()
        left[:, member] -= left[:, member].mean(axis=1, keepdims=True)
    many = clusters / (clusters - 1) if clusters > 1 else 1.0
    var_landmarks = many * float(np.sum(cluster_sums(weights * centred, codes) ** 2))
    by_seed = v @ weights
    if seeds == 1:
        return float(by_seed[0]), (0.0, var_landmarks), max(1.0, clusters - 1)
    var_seeds = float(by_seed.var(ddof=1)) / seeds
    cells = sum(float(np.sum(cluster_sums(weights * row, codes) ** 2)) for row in left)
    var_both = many * cells / (seeds * (seeds - 1))
    extra = max(0.0, var_seeds - var_both)
    total = var_landmarks + extra
    uncertain = var_landmarks**2 / max(1, clusters - 1)
    if extra > 0:
        uncertain += var_seeds**2 / (seeds - 1)
        uncertain += var_both**2 / max(1, (seeds - 1) * (clusters - 1))
    df = max(float(seeds - 1), total**2 / uncertain) if uncertain > 0 else float(seeds - 1)
    return float(by_seed.mean()), (extra, var_landmarks), df


@lru_cache(maxsize=8)
def _resamples(seeds: int, clusters: int) -> tuple[Floats, Floats]:
    """How often each seed and each cluster is drawn, float64 [RESAMPLES, seeds] and [RESAMPLES,
    clusters]: the same for all effects of this shape."""
    draw = generator(0, "nano-report", f"{seeds} seeds, {clusters} clusters")
    of_seeds, of_clusters = (
        draw.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
        for n in (seeds, clusters)
    )
    return of_seeds, of_clusters


def _bootstrap(
    v: Floats,
    members: list[NDArray[np.bool_]],
    signs: Sequence[float],
    codes: NDArray[np.int64],
) -> tuple[float, float]:
    """Percentiles over resamples of seeds and of clusters of landmarks."""
    clusters = int(codes.max()) + 1
    of_seeds, of_clusters = _resamples(len(v), clusters)
    total = np.zeros(RESAMPLES)
    for member, sign in zip(members, signs, strict=True):
        inside = np.flatnonzero(member)
        sums = np.stack([np.bincount(codes[inside], row[inside], clusters) for row in v])
        sizes = of_clusters @ np.bincount(codes[inside], minlength=clusters).astype(np.float64)
        means = (of_clusters @ sums.T) / np.maximum(sizes, 1)[:, None]
        total += sign * np.sum(of_seeds / len(v) * means, axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(total, [tail, 1 - tail])
    return float(low), float(high)


def paired_p(differences: Floats, clusters: Sequence[Hashable], scale: int = 1) -> float:
    """The exact paired test of the models at hand, over landmarks: all seeds' together.

    differences: [S, L], whole numbers when multiplied by `scale`; nan: left out. A landmark's
    differences change sides together in all seeds, so that they do not count as many witnesses.
    """
    codes = np.tile(cluster_codes(clusters, differences.shape[1]), len(differences))
    flat = differences.ravel() * scale
    scored = ~np.isnan(flat)
    if not scored.any():
        return 1.0
    _, dense = np.unique(codes[scored], return_inverse=True)
    return sign_flip_p(np.round(flat[scored]), dense.astype(np.int64))


def t_quantile(probability: float, df: float) -> float:
    """Student's t quantile; df need not be whole."""
    from scipy.stats import t

    return float(t.ppf(probability, df))
