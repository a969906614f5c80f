"""Results by kind of landmark, and whether accuracy follows the encoder's knowledge.

Definition: docs/definitions.md, "Metrics".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mgld.evaluate.intervals import CONFIDENCE, Interval, cluster_codes
from mgld.evaluate.metrics import LevelMetrics, level_metrics
from mgld.evaluate.records import LEVELS, Question, State
from mgld.keyed import generator
from mgld.schema import Record

SMALL: Final = 20
"""A group with fewer scored questions is shown, and marked as too small to be read much into."""
UNKNOWN_VALUE: Final = "(not given)"
RESAMPLES: Final = 1_000
SCORES: Final[dict[State, int]] = {level: 3 - row for row, level in enumerate(LEVELS)}
"""Level score: 3 strongly_known ... 0 unknown."""
_IMAGES: Final = ((1, 1), (2, 5), (6, 10), (11, 50))


class Group(Record):
    """The questions of one value. small: fewer than SMALL of them are scored."""

    name: str
    metrics: LevelMetrics
    small: bool


class Trend(Record):
    """Spearman's rank correlation of the level (0 to 3) with a value, over scored questions.

    correlation: with mid-ranks for ties; None where one of the two does not vary. interval: from
    1,000 keyed resamples of landmarks.
    """

    questions: int
    correlation: float | None
    interval: Interval | None


class Breakdowns(Record):
    """A run's results by group; the groups of each list add up to the run.

    Deciles are of the value's mid-rank percentile among the questions that have one, lowest first;
    equal values share a decile, so that some may be empty and are left out.
    """

    label: list[Group]
    natural_or_human_made: list[Group]
    rsr: list[Group]
    sim: list[Group]
    images: list[Group]
    rsr_trend: Trend
    sim_trend: Trend
    images_trend: Trend


def break_down(
    questions: Sequence[Question], levels: Sequence[State], *, seed: int = 0
) -> Breakdowns:
    """Results by label, natural or human-made, deciles of RSR and Sim, images of the landmark.

    levels: of the questions, in their order. Clustered by landmark throughout. ValueError where
    the two differ in length.
    """
    if len(questions) != len(levels):
        raise ValueError(f"{len(levels)} levels for {len(questions)} questions")
    rsr = [question.rsr for question in questions]
    sim = [question.sim for question in questions]
    images = [question.images for question in questions]
    labels = [question.truth.label or UNKNOWN_VALUE for question in questions]
    made = [question.natural_or_human_made or UNKNOWN_VALUE for question in questions]
    by_size = _by(questions, levels, labels, None)
    rsr_trend, sim_trend, images_trend = trends([rsr, sim, images], levels, questions, seed=seed)
    return Breakdowns(
        label=sorted(by_size, key=lambda group: (-group.metrics.total, group.name)),
        natural_or_human_made=_by(questions, levels, made, None),
        rsr=_by(questions, levels, *_deciles(rsr)),
        sim=_by(questions, levels, *_deciles(sim)),
        images=_by(questions, levels, *_image_bins(images)),
        rsr_trend=rsr_trend,
        sim_trend=sim_trend,
        images_trend=images_trend,
    )


def _by(
    questions: Sequence[Question],
    levels: Sequence[State],
    names: list[str],
    order: Callable[[str], int] | None,
) -> list[Group]:
    """One group a name, sorted by `order` (default: the alphabet), missing values last."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    groups = []
    for name in sorted(
        rows, key=lambda name: (name == UNKNOWN_VALUE, order(name) if order else name)
    ):
        metrics = level_metrics(
            [levels[row] for row in rows[name]],
            clusters=[questions[row].landmark_id for row in rows[name]],
        )
        groups.append(Group(name=name, metrics=metrics, small=metrics.scored < SMALL))
    return groups


def _deciles(values: Sequence[float | None]) -> tuple[list[str], Callable[[str], int]]:
    """Each value's decile, 1 to 10, named with the range of the values in it."""
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    unique, where, counts = np.unique(known, return_inverse=True, return_counts=True)
    percentiles = (np.cumsum(counts) - counts / 2) / max(1, len(known))
    of_unique = np.minimum(9, np.floor(10 * percentiles)).astype(int)
    names: dict[int, str] = {}
    for decile in sorted(set(of_unique.tolist())):
        inside = unique[of_unique == decile]
        names[decile] = f"{decile + 1}: {inside[0]:.4f} to {inside[-1]:.4f}"
    decile_of = iter(of_unique[where].tolist())
    named = [UNKNOWN_VALUE if value is None else names[next(decile_of)] for value in values]
    return named, lambda name: 0 if name == UNKNOWN_VALUE else int(name.split(":")[0])


def _image_bins(values: Sequence[int | None]) -> tuple[list[str], Callable[[str], int]]:
    """Each landmark's number of images as one of a few ranges."""
    last = f"{_IMAGES[-1][1] + 1} or more"
    names = ["1" if low == high else f"{low} to {high}" for low, high in _IMAGES] + [last]

    def name(value: int | None) -> str:
        if value is None:
            return UNKNOWN_VALUE
        return names[sum(value > high for _, high in _IMAGES)]

    order = {each: row for row, each in enumerate([*names, UNKNOWN_VALUE])}
    return [name(value) for value in values], lambda each: order[each]


def trends(
    values: Sequence[Sequence[float | None]],
    levels: Sequence[State],
    questions: Sequence[Question],
    *,
    seed: int = 0,
) -> list[Trend]:
    """Whether the level goes with each of the values; questions without one, or unscored, are left
    out.

    Values that the same questions have share their resamples, which are the same anyway.
    """
    together: dict[tuple[int, ...], list[int]] = {}
    for number, of in enumerate(values):
        rows = tuple(
            row
            for row, (value, level) in enumerate(zip(of, levels, strict=True))
            if value is not None and level != "unscored"
        )
        together.setdefault(rows, []).append(number)
    found: dict[int, Trend] = {}
    for rows, numbers in together.items():
        xs = [
            np.array([values[number][row] for row in rows], dtype=np.float64) for number in numbers
        ]
        y = np.array([SCORES[levels[row]] for row in rows], dtype=np.float64)
        codes = cluster_codes([questions[row].landmark_id for row in rows], len(rows))
        found |= dict(zip(numbers, _trends(xs, y, codes, seed), strict=True))
    return [found[number] for number in range(len(values))]


def _trends(
    xs: Sequence[NDArray[np.float64]],
    y: NDArray[np.float64],
    codes: NDArray[np.int64],
    seed: int,
) -> list[Trend]:
    """The trend of y [n] with each of xs [n]; codes: clusters of the n."""
    if not len(y):
        return [Trend(questions=0, correlation=None, interval=None) for _ in xs]
    once = _spearman(xs, y, np.ones((1, len(y))))[:, 0]
    clusters = int(codes.max()) + 1
    draw = generator(seed, "breakdown", "trend")
    resampled: list[NDArray[np.float64]] = []
    if clusters > 1 and not np.isnan(once).all():
        for start in range(0, RESAMPLES, 100):  # 100 at a time: 100 x questions numbers in memory
            size = min(100, RESAMPLES - start)
            weights = draw.multinomial(clusters, np.full(clusters, 1 / clusters), size=size)
            resampled.append(_spearman(xs, y, weights[:, codes].astype(np.float64)))
    tail = (1 - CONFIDENCE) / 2
    trends = []
    for number, correlation in enumerate(once.tolist()):
        if np.isnan(correlation):
            trends.append(Trend(questions=len(y), correlation=None, interval=None))
            continue
        interval = None
        if resampled:
            usable = np.concatenate([each[number] for each in resampled])
            usable = usable[~np.isnan(usable)]
            if len(usable):
                low, high = np.quantile(usable, [tail, 1 - tail])
                interval = Interval(low=float(low), high=float(high), method="bootstrap")
        trends.append(Trend(questions=len(y), correlation=correlation, interval=interval))
    return trends


def _spearman(
    xs: Sequence[NDArray[np.float64]], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Spearman's correlation of each x with y [n] for each row of weights [r, n] (how often each
    counts).

    nan where one does not vary. float64 [x, r].
    """
    total = weights.sum(axis=1, keepdims=True)

    def centred(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        ranks = _mid_ranks(values, weights)
        ranks -= (weights * ranks).sum(axis=1, keepdims=True) / total
        return ranks, (weights * ranks * ranks).sum(axis=1)

    b, b_norm = centred(y)
    found = np.full((len(xs), len(weights)), np.nan)
    for number, x in enumerate(xs):
        a, a_norm = centred(x)
        norm = np.sqrt(a_norm * b_norm)
        product = (weights * a * b).sum(axis=1)
        np.divide(product, norm, out=found[number], where=norm > 1e-9)
    return found


def _mid_ranks(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mid-rank of each value [n] where item i counts weights[:, i] times: [r, n]."""
    order = np.argsort(values, kind="stable")
    _, starts, where = np.unique(values[order], return_index=True, return_inverse=True)
    tied = np.add.reduceat(weights[:, order], starts, axis=1)
    middle = np.cumsum(tied, axis=1) - (tied - 1) / 2
    ranks = np.empty_like(weights)
    ranks[:, order] = middle[:, where]
    return ranks
