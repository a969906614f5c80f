"""The interval over seeds and landmarks, and the paired test, against calculations of their own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.nano.report.effects import estimate, paired_p, share, t_quantile, widened
from mgld.evaluate.intervals import wilson


@pytest.mark.parametrize(
    ("df", "wanted"),  # of printed tables of Student's t, two-sided 95 %
    [(1, 12.7062), (2, 4.3027), (4, 2.7764), (10, 2.2281), (30, 2.0423), (1e6, 1.9600)],
)
def test_t_quantile(df: float, wanted: float) -> None:
    assert t_quantile(0.975, df) == pytest.approx(wanted, abs=1e-4)


def crossed(
    seeds: int, landmarks: int, spread_of_seeds: float, draw: np.random.Generator
) -> np.ndarray:
    """Effect 0.1 + seed + landmark + rest, all normal."""
    return (
        0.1
        + draw.normal(0, spread_of_seeds, (seeds, 1))
        + draw.normal(0, 0.3, (1, landmarks))
        + draw.normal(0, 0.3, (seeds, landmarks))
    )


def test_variances_are_those_of_a_two_way_analysis() -> None:
    values = crossed(5, 80, 1.0, np.random.default_rng(0))
    found = estimate(values, seeds=range(5), clusters=range(80))
    assert found is not None
    # ANOVA of a crossed design without replicates, by its textbook mean squares
    s, n = values.shape
    grand, by_seed, by_landmark = values.mean(), values.mean(1), values.mean(0)
    ms_seed = n * np.sum((by_seed - grand) ** 2) / (s - 1)
    ms_landmark = s * np.sum((by_landmark - grand) ** 2) / (n - 1)
    rest = values - by_seed[:, None] - by_landmark + grand
    ms_rest = np.sum(rest**2) / ((s - 1) * (n - 1))
    assert found.effect == pytest.approx(grand)
    assert found.by_seed == pytest.approx(by_seed.tolist())
    assert found.se_landmarks**2 == pytest.approx(ms_landmark / (s * n))
    assert found.se_seeds**2 == pytest.approx((ms_seed - ms_rest) / (s * n))
    total = (ms_seed + ms_landmark - ms_rest) / (s * n)
    assert (found.high - found.low) / 2 == pytest.approx(
        t_quantile(0.975, found.df) * math.sqrt(total)
    )
    assert 4 <= found.df < 5  # seeds matter most, and there are five


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_interval_covers(spread: float) -> None:
    draw = np.random.default_rng(7)
    inside = 0
    for _ in range(400):
        found = estimate(crossed(5, 60, spread, draw), seeds=range(5), clusters=range(60))
        assert found is not None
        inside += found.low <= 0.1 <= found.high
    assert 0.92 <= inside / 400 <= 0.995


def test_one_seed_is_over_landmarks_alone() -> None:
    values = np.array([[1.0, 0.0, 0.0, 1.0, 0.0, 0.0]])
    found = estimate(values, seeds=[3], clusters=range(6))
    assert found is not None
    se = values.std(ddof=1) / math.sqrt(6)
    assert found.se_landmarks == pytest.approx(se)
    assert found.se_seeds == 0
    assert found.high - found.effect == pytest.approx(t_quantile(0.975, 5) * se)


def test_landmarks_of_one_name_are_one() -> None:
    half = crossed(3, 40, 0.0, np.random.default_rng(1))
    alone = estimate(half, seeds=range(3), clusters=range(40))
    twice = estimate(np.hstack([half, half]), seeds=range(3), clusters=[*range(40)] * 2)
    assert alone is not None and twice is not None
    assert twice.se_landmarks == pytest.approx(alone.se_landmarks)
    assert twice.effect == pytest.approx(alone.effect)


def test_gap_between_groups() -> None:
    values = crossed(4, 60, 0.0, np.random.default_rng(2))
    groups = np.array([0] * 20 + [1] * 30 + [-1] * 10)
    values[:, groups == 0] += 1
    found = estimate(values, seeds=range(4), clusters=range(60), groups=groups, signs=(1.0, -1.0))
    assert found is not None
    first, second = values[:, :20], values[:, 20:50]
    assert found.effect == pytest.approx(first.mean() - second.mean())
    assert found.landmarks == 50
    # as of two independent samples, but for the factor of all 50 clusters
    wanted = sum(part.mean(0).var() / part.shape[1] for part in (first, second)) * 50 / 49
    assert found.se_landmarks**2 == pytest.approx(wanted)


def test_unscored_landmarks_are_left_out_and_counted() -> None:
    values = np.array([[1.0, np.nan, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
    found = estimate(values, seeds=[0, 1], clusters=range(4))
    assert found is not None
    assert (found.landmarks, found.unscored) == (3, 1)
    assert found.effect == pytest.approx(0.5)
    assert estimate(np.full((2, 4), np.nan), seeds=[0, 1], clusters=range(4)) is None
    assert estimate(np.empty((0, 4)), seeds=[], clusters=range(4)) is None


def test_share_is_wilsons_where_all_seeds_agree() -> None:
    """One answer for each landmark, in as many copies as seeds: the interval of 200 answers."""
    answers = np.zeros((1, 200))
    answers[:, :30] = 1
    for seeds in (1, 5):
        found = share(
            estimate(answers.repeat(seeds, axis=0), seeds=range(seeds), clusters=range(200))
        )
        assert found is not None
        low, high = wilson(0.15, 200)
        assert found.low == pytest.approx(low, abs=2e-3)
        assert found.high == pytest.approx(high, abs=2e-3)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_share_of_nothing_or_all_has_width(value: float) -> None:
    found = share(estimate(np.full((5, 300), value), seeds=range(5), clusters=range(300)))
    assert found is not None
    assert (found.low, found.high) == pytest.approx(wilson(value, 300))
    assert found.high - found.low > 0.01
    assert share(None) is None


def test_share_covers_also_where_seeds_differ() -> None:
    draw = np.random.default_rng(8)
    inside = 0
    for _ in range(300):
        p = np.clip(0.1 + draw.normal(0, 0.03, (5, 1)) + draw.normal(0, 0.05, (1, 150)), 0, 1)
        found = share(
            estimate((draw.random((5, 150)) < p) * 1.0, seeds=range(5), clusters=range(150))
        )
        assert found is not None
        inside += found.low <= 0.1005 <= found.high
    assert 0.91 <= inside / 300 <= 1


def test_where_nothing_differs_the_rule_of_three() -> None:
    found = estimate(np.zeros((3, 300)), seeds=range(3), clusters=range(300))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((-0.01, 0.01))


def test_widened_for_several_comparisons() -> None:
    found = estimate(
        crossed(5, 5000, 0.0, np.random.default_rng(4)), seeds=range(5), clusters=range(5000)
    )
    assert found is not None
    assert widened(found, 1) == pytest.approx((found.low, found.high))
    low, high = widened(found, 4)
    # normal quantiles at 1 - 0.05 / 8 and at 0.975
    assert (high - found.effect) / (found.high - found.effect) == pytest.approx(
        2.4977 / 1.95996, abs=0.05
    )
    assert high - found.effect == pytest.approx(found.effect - low)


def test_bootstrap_is_the_same_each_time_and_near() -> None:
    values = crossed(5, 200, 0.0, np.random.default_rng(3))
    found = [
        estimate(values, seeds=range(5), clusters=range(200), bootstrap=True) for _ in range(2)
    ]
    assert found[0] == found[1]
    assert found[0] is not None and found[0].bootstrap is not None
    low, high = found[0].bootstrap
    assert low < found[0].effect < high
    assert 0.8 < (high - low) / (found[0].high - found[0].low) < 2


def test_paired_p_is_mcnemar_for_one_seed() -> None:
    difference = np.array([[1] * 9 + [-1] * 2 + [0] * 30], dtype=float)
    binomial = 2 * sum(math.comb(11, k) for k in range(3)) / 2**11
    assert paired_p(difference, range(41)) == pytest.approx(binomial)


def test_paired_p_takes_all_seeds_of_a_landmark_together() -> None:
    one = np.array([[1] * 9 + [-1] * 2 + [0] * 30], dtype=float)
    assert paired_p(np.repeat(one, 5, axis=0), range(41)) == pytest.approx(paired_p(one, range(41)))
    assert paired_p(one / 2, range(41), scale=2) == pytest.approx(paired_p(one, range(41)))
    assert paired_p(np.full((1, 3), np.nan), range(3)) == 1.0
