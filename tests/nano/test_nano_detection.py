"""ROC, areas and their intervals against other ways to calculate them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.nano.detection import area, area_difference, area_interval, roc, roc_at


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties, and who is positive."""
    draw = np.random.default_rng(0)
    positive = draw.random(300) < 0.3
    return np.round(draw.normal(size=300) + positive, 1), positive


def test_area_counts_pairs(scored: tuple[np.ndarray, np.ndarray]) -> None:
    score, positive = scored
    pairs = [
        1.0 if up > down else 0.5 if up == down else 0.0
        for up in score[positive]
        for down in score[~positive]
    ]
    assert area(score, positive) == pytest.approx(np.mean(pairs))
    assert area(-score, positive) == pytest.approx(1 - np.mean(pairs))


def test_area_under_the_corners_is_the_area(scored: tuple[np.ndarray, np.ndarray]) -> None:
    false, true = roc(*scored)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    trapezoids = np.sum((false[1:] - false[:-1]) * (true[1:] + true[:-1]) / 2)
    assert trapezoids == pytest.approx(area(*scored))


def test_roc_at_low_rates() -> None:
    score = np.array([4.0, 3.0, 2.0, 1.0])
    positive = np.array([True, True, False, False])
    assert roc_at(score, positive, np.array([0.0, 0.5, 1.0])).tolist() == [1, 1, 1]
    tied = np.zeros(4)
    assert roc_at(tied, positive, np.array([0.0, 0.5, 1.0])).tolist() == [0, 0.5, 1]


def test_nothing_to_tell_apart_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 positives, 3 negatives"):
        area(np.zeros(3), np.zeros(3, dtype=bool))


@pytest.mark.parametrize("auc", [0.0, 0.5, 0.8, 0.97, 1.0])
def test_interval_is_where_its_definition_says(auc: float) -> None:
    m, n = 40, 70
    low, high = area_interval(auc, m, n)
    assert 0 <= low <= auc <= high <= 1
    for theta in (low, high):
        if 0.0001 < theta < 0.9999:
            q1, q2 = theta / (2 - theta), 2 * theta**2 / (1 + theta)
            # Hanley and McNeil's variance with N* = (m + n) / 2 for both numbers
            mean = (m + n) / 2 - 1
            variance = (theta * (1 - theta) + mean * (q1 - theta**2) + mean * (q2 - theta**2)) / (
                m * n
            )
            assert abs(auc - theta) / np.sqrt(variance) == pytest.approx(1.95996, abs=1e-3)
    assert high - low > 0.01  # also at 0 and 1


@pytest.mark.parametrize(("shift", "wanted"), [(1.0, 0.760), (2.0, 0.921)])
def test_interval_covers(shift: float, wanted: float) -> None:
    draw = np.random.default_rng(5)
    positive = np.arange(120) < 40
    inside = 0
    for _ in range(300):
        auc = area(draw.normal(size=120) + shift * positive, positive)
        low, high = area_interval(auc, 40, 80)
        inside += low <= wanted <= high
    assert 0.91 <= inside / 300 <= 1


def test_difference_of_areas() -> None:
    draw = np.random.default_rng(6)
    positive = np.arange(200) < 80
    noise = draw.normal(size=200)
    first, second = noise + 1.5 * positive, noise + 0.5 * draw.normal(size=200) + positive
    found, low, high = area_difference(first, second, positive)
    assert found == pytest.approx(area(first, positive) - area(second, positive))
    resampled = []
    for _ in range(2000):
        rows = np.concatenate([draw.integers(0, 80, 80), draw.integers(80, 200, 120)])
        y = positive[rows]
        resampled.append(area(first[rows], y) - area(second[rows], y))
    assert (high - low) / 2 == pytest.approx(1.96 * np.std(resampled), rel=0.1)
    assert area_difference(first, first, positive) == (0, 0, 0)
