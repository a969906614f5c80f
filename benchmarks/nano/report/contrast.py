"""A contrast of experiments as the miniature's runs have it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from benchmarks.nano.plan import BASELINE
from benchmarks.nano.report.claims import Over, Part
from benchmarks.nano.report.effects import Estimate, estimate, paired_p
from benchmarks.nano.report.runs import Runs, recognised
from mgld.schema import Record
from mgld.world.lexicon import Half


class Found(Record):
    """What the runs say of a contrast.

    p: of the exact paired test over landmarks, all seeds together, on the models at hand; None for
    a difference between groups of landmarks, which is not paired.
    """

    estimate: Estimate
    p: float | None


def missing(runs: Runs, part: Part) -> list[str]:
    """Experiments of a contrast that no seed has, or all of them where none has all."""
    by_name = {name: set(runs.of(name, part.encoder)) for name in part.weights}
    lacking = [name for name, seeds in by_name.items() if not seeds]
    if not lacking and not set.intersection(*by_name.values()):
        return list(part.weights)
    return lacking


def contrast(runs: Runs, part: Part) -> Found | None:
    """Effect, interval and tests over the seeds that have all of its experiments; None: no seed."""
    seeds, values = stacked(runs, part.weights, part.encoder)
    if not seeds:
        return None
    if part.over == "each its half":
        values = _each_its_half(runs, part)
    groups, signs = _groups(runs, part.over, part.encoder)
    clusters = runs.clusters(part.encoder)
    found = estimate(
        values, seeds=seeds, clusters=clusters, groups=groups, signs=signs, bootstrap=True
    )
    if found is None:
        return None
    if len(signs) > 1:
        return Found(estimate=found, p=None)
    scale = math.lcm(*(weight.denominator for weight in part.weights.values()))
    kept = [row for row, group in enumerate(groups) if group >= 0]
    inside, names = values[:, kept], [clusters[row] for row in kept]
    return Found(estimate=found, p=paired_p(inside, names, scale))


def stacked(
    runs: Runs, weights: Mapping[str, Fraction], encoder: Half, among: set[int] | None = None
) -> tuple[list[int], NDArray[np.float64]]:
    """The seeds (of those `among`) that have all of the experiments, and their weighted sums:
    float64 [S, L]."""
    found = {name: runs.of(name, encoder) for name in weights}
    common = set.intersection(*(set(each) for each in found.values()))
    seeds = sorted(common if among is None else common & among)
    if not seeds:
        return [], np.empty((0, len(runs.landmarks(encoder))))
    rows = [
        sum(
            (float(weight) * recognised(found[name][seed]) for name, weight in weights.items()),
            start=np.zeros(len(runs.landmarks(encoder))),
        )
        for seed in seeds
    ]
    return seeds, np.stack(rows)


def _each_its_half(runs: Runs, part: Part) -> NDArray[np.float64]:
    """Gains over the baseline: of what is added on the half that the encoder was taught, of what
    is subtracted (without its sign) on the other: float64 [S, L]."""
    added = {name: weight for name, weight in part.weights.items() if weight > 0}
    taken = {name: -weight for name, weight in part.weights.items() if weight < 0}
    both = set.intersection(*(set(runs.of(name, part.encoder)) for name in part.weights))
    first, second = (
        stacked(runs, each | {BASELINE: -sum(each.values(), Fraction(0))}, part.encoder, both)[1]
        for each in (added, taken)
    )
    return np.where(runs.scope(part.encoder, part.encoder), first, second)


def _groups(runs: Runs, over: Over, encoder: Half) -> tuple[NDArray[np.int64], tuple[float, ...]]:
    """Which group each landmark is in (-1: none), and the sign of each group's mean."""
    other: Half = "east" if encoder == "west" else "west"
    if over == "gap":
        chosen = [runs.scope("unknown", encoder), runs.scope("known", encoder)]
    elif over == "each its half":
        chosen = [runs.scope(encoder, encoder), runs.scope(other, encoder)]
    else:
        chosen = [runs.scope(over, encoder)]
    groups = np.full(len(chosen[0]), -1, dtype=np.int64)
    for number, inside in enumerate(chosen):
        groups[inside] = number
    return groups, (1.0, -1.0)[: len(chosen)]
