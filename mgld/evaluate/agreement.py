"""How far two labellings agree: confusion, exact agreement, Cohen's kappa plain and quadratic.

Definition: docs/definitions.md, "Agreement". One of them is the reference (people's labels, rows),
the other one is held against it (a judge, columns). What a judge left unscored is no level: it is
counted apart and is in no matrix.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mgld.evaluate.intervals import CONFIDENCE, Interval, cluster_codes, share_interval
from mgld.evaluate.records import LEVELS, Level, State
from mgld.keyed import generator
from mgld.schema import Record

RESAMPLES: Final = 2000
_N: Final = len(LEVELS)
_INDEX: Final = {level: k for k, level in enumerate(LEVELS)}
# Disagreement of each pair of levels: 0 on the diagonal. Quadratic: the squared distance.
_PLAIN: Final = 1.0 - np.eye(_N)
_QUADRATIC: Final = np.subtract.outer(np.arange(_N), np.arange(_N)).astype(np.float64) ** 2


class Agreement(Record):
    """Agreement of one labelling with a reference.

    matrix: counts [4][4], rows the reference's levels and columns the other's, in the order of
    LEVELS, of the scored items only. A value is None where it is not defined: nothing was scored,
    or (kappas) both use one level only and the same. Intervals are of 95 % and None where there is
    nothing to vary; those of kappas are bootstrapped.
    """

    items: int
    unscored: int
    matrix: list[list[int]]
    exact: float | None
    exact_interval: Interval | None
    kappa: float | None
    kappa_interval: Interval | None
    quadratic_kappa: float | None
    quadratic_kappa_interval: Interval | None

    @property
    def scored(self) -> int:
        """Items with a level from both."""
        return self.items - self.unscored

    @property
    def unscored_share(self) -> float:
        """Share of items without a level; 0 where there are no items."""
        return self.unscored / self.items if self.items else 0.0


def agreement(
    reference: Sequence[Level],
    judged: Sequence[State],
    *,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Agreement:
    """Hold `judged` against `reference`, item by item.

    clusters: what items that belong together share (the landmark); whole clusters are resampled.
    The same arguments give the same intervals. ValueError where the lengths differ or a value is
    no level ("unscored" is allowed in `judged`).
    """
    if len(reference) != len(judged):
        raise ValueError(f"{len(reference)} labels and {len(judged)} verdicts")
    unknown = (set(reference) - set(LEVELS)) | (set(judged) - set(LEVELS) - {"unscored"})
    if unknown:
        raise ValueError(f"no levels: {', '.join(sorted(map(repr, unknown)))}")
    scored = [k for k, state in enumerate(judged) if state != "unscored"]
    cells = np.array([_cell(reference[k], judged[k]) for k in scored], dtype=np.int64)
    every = cluster_codes(clusters, len(judged))
    # Clusters without a scored item are not there to be drawn.
    codes = np.unique(every[scored], return_inverse=True)[1]
    matrix = np.bincount(cells, minlength=_N * _N).reshape(_N, _N)
    resampled = _resample(cells, codes, seed)
    same = cells % (_N + 1) == 0  # the diagonal
    return Agreement(
        items=len(judged),
        unscored=len(judged) - len(scored),
        matrix=matrix.tolist(),
        exact=float(np.mean(same)) if scored else None,
        exact_interval=share_interval(same, codes.tolist()),
        kappa=_defined(_kappas(matrix[None], _PLAIN)[0]),
        kappa_interval=_interval(_kappas(resampled, _PLAIN)),
        quadratic_kappa=_defined(_kappas(matrix[None], _QUADRATIC)[0]),
        quadratic_kappa_interval=_interval(_kappas(resampled, _QUADRATIC)),
    )


def _cell(reference: Level, judged: State) -> int:
    assert judged != "unscored"
    return _INDEX[reference] * _N + _INDEX[judged]


def _kappas(matrices: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kappa of each matrix [R, 4, 4]: float64 [R], NaN where it is not defined.

    1 - observed / expected disagreement, each pair weighted by `weights` (Cohen 1960, Educ.
    Psychol. Meas. 20:37-46, and 1968, Psychol. Bull. 70:213-220).
    """
    counts = matrices.astype(np.float64)
    totals = counts.sum(axis=(1, 2))
    rows, columns = counts.sum(axis=2), counts.sum(axis=1)
    observed = np.einsum("rij,ij->r", counts, weights)
    expected = np.einsum("ri,rj,ij->r", rows, columns, weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        kappas: NDArray[np.float64] = np.where(
            expected > 0, 1.0 - observed * totals / expected, np.nan
        )
    return kappas


def _resample(cells: NDArray[np.int64], codes: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Confusion matrices of RESAMPLES samples of whole clusters with replacement: [R, 4, 4]."""
    clusters = int(codes.max()) + 1 if len(codes) else 0
    if clusters < 2:
        return np.empty((0, _N, _N), dtype=np.int64)
    of_cluster = np.zeros((clusters, _N * _N), dtype=np.int64)
    np.add.at(of_cluster, (codes, cells), 1)
    random = generator(seed, "agreement", clusters)
    times = random.multinomial(clusters, np.full(clusters, 1 / clusters), size=RESAMPLES)
    return (times @ of_cluster).reshape(-1, _N, _N)


def _interval(kappas: NDArray[np.float64]) -> Interval | None:
    """Percentile interval of resampled kappas; None where most of them are not defined."""
    defined = kappas[~np.isnan(kappas)]
    if not len(defined) or 2 * len(defined) < len(kappas):
        return None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, [tail, 1 - tail]).tolist()
    return Interval(low=low, high=high, method="bootstrap")


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
