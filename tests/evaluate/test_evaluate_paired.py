"""Paired tests and effects against published values, brute force and simulation."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from mgld.evaluate.paired import holm, mean_difference, share_difference, sign_flip_p


def _alone(n: int) -> NDArray[np.int64]:
    return np.arange(n)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    # scipy.stats.binomtest(b, b + c).pvalue
    [
        (2, 12, 0.012939453125),
        (121, 59, 4.4344492637551645e-06),
        (101, 79, 0.11727865310746043),
        (3, 3, 1.0),
        (0, 0, 1.0),
        (0, 5, 0.0625),
    ],
)
def test_mcnemar_exact(only_first: int, only_second: int, p: float) -> None:
    steps = [-1] * only_first + [1] * only_second + [0] * 40
    assert sign_flip_p(steps, _alone(len(steps))) == pytest.approx(p, rel=1e-9)
    assert sign_flip_p(np.negative(steps), _alone(len(steps))) == pytest.approx(p, rel=1e-9)


def test_permutation_of_levels() -> None:
    # scipy.stats.permutation_test((d,), np.sum, permutation_type="samples", n_resamples=inf).
    steps = [3, -1, 2, 2, 0, 1, -1, 3, 1, -2, 1, 1]
    assert sign_flip_p(steps, _alone(12)) == pytest.approx(0.13671875)


def test_every_assignment_of_signs_is_counted_and_landmarks_flip_whole() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        steps = rng.integers(-3, 4, size=14)
        codes = rng.integers(0, 8, size=14)
        sums = np.bincount(codes, weights=steps, minlength=8)
        totals = [abs(np.dot(signs, sums)) for signs in product((-1, 1), repeat=8)]
        expected = np.mean([total >= abs(steps.sum()) for total in totals])
        _, packed = np.unique(codes, return_inverse=True)
        assert sign_flip_p(steps, packed) == pytest.approx(expected)


def test_copies_of_a_question_prove_nothing_more() -> None:
    steps = [1] * 6 + [0] * 10
    once = sign_flip_p(steps, _alone(16))
    assert sign_flip_p(steps * 5, np.tile(np.arange(16), 5)) == pytest.approx(once)
    assert sign_flip_p(steps * 5, _alone(80)) < once / 1000


def test_full_size() -> None:
    steps = np.random.default_rng(0).integers(-3, 4, size=5000)
    assert 0 < sign_flip_p(steps, _alone(5000)) <= 1
    assert sign_flip_p([1] * 2500, _alone(2500)) == pytest.approx(0, abs=1e-300)


def test_differences_are_whole() -> None:
    with pytest.raises(ValueError, match="whole"):
        sign_flip_p([0.5], _alone(1))


def _table(both: int, first: int, second: int, neither: int) -> list[NDArray[np.bool_]]:
    counts = [both, first, second, neither]
    return [
        np.repeat([True, True, False, False], counts),
        np.repeat([True, False, True, False], counts),
    ]


def test_newcombes_interval() -> None:
    # Newcombe 1998 (Stat. Med. 17:2635-2650), 36/12/2/0: 0.0569 to 0.3404.
    second, first = _table(36, 12, 2, 0)
    found = share_difference(first, second, _alone(50))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.0569, 0.3404), abs=5e-5)
    turned = share_difference(second, first, _alone(50))
    assert turned is not None
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_newcombes_interval_by_hand() -> None:
    """14/5/0/22 (Altman et al. 2000, table 6.2), the formula written out with phi."""
    first, second = _table(14, 5, 0, 22)
    z2 = 1.959963984540054**2

    def limits(p: float) -> tuple[float, float]:
        reach = (z2 * (p * (1 - p) / 41 + z2 / (4 * 41**2))) ** 0.5
        return (p + z2 / 82 - reach) / (1 + z2 / 41), (p + z2 / 82 + reach) / (1 + z2 / 41)

    p1, p2 = 19 / 41, 14 / 41
    phi = (14 * 22 - 5 * 0) / (19 * 22 * 14 * 27) ** 0.5
    (l1, u1), (l2, u2) = limits(p1), limits(p2)
    low = ((p2 - l2) ** 2 - 2 * phi * (p2 - l2) * (u1 - p1) + (u1 - p1) ** 2) ** 0.5
    high = ((u2 - p2) ** 2 - 2 * phi * (u2 - p2) * (p1 - l1) + (p1 - l1) ** 2) ** 0.5
    found = share_difference(first, second, _alone(41))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((p2 - p1 - low, p2 - p1 + high))
    assert found.method == "newcombe"


def test_effects_of_copies_are_as_wide_as_of_one() -> None:
    first, second = _table(8, 3, 9, 20)
    once = share_difference(first, second, _alone(40))
    copied = share_difference(np.tile(first, 4), np.tile(second, 4), np.tile(np.arange(40), 4))
    assert once is not None and copied is not None
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert copied.method == "clustered newcombe"


def test_no_change_at_all_is_not_certainty() -> None:
    nobody = np.zeros(30, dtype=bool)
    found = share_difference(nobody, nobody, _alone(30))
    assert found is not None
    assert found.low < -0.1 and found.high > 0.1
    empty = np.zeros(0, dtype=bool)
    assert share_difference(empty, empty, _alone(0)) is None


def test_intervals_cover_the_true_difference() -> None:
    """Accuracy 0.3 and 0.4, correlated through the landmark; level scores alike."""
    rng = np.random.default_rng(11)
    codes = np.repeat(np.arange(60), 2)
    shares = means = 0
    for run in range(300):
        ease = np.repeat(rng.normal(size=60), 2)
        noise = rng.normal(size=(2, 120))
        first = (ease + noise[0]) / 2**0.5 < -0.5244005  # normal quantile of 0.3
        second = (ease + noise[1]) / 2**0.5 < -0.2533471  # of 0.4
        share = share_difference(first, second, codes)
        mean = mean_difference(second.astype(int) - first.astype(int), codes, seed=run)
        assert share is not None and mean is not None
        shares += share.low <= 0.1 <= share.high
        means += mean.low <= 0.1 <= mean.high
    assert 0.91 <= shares / 300 <= 0.99
    assert 0.91 <= means / 300 <= 0.99


def test_the_mean_is_keyed_and_needs_two_landmarks() -> None:
    steps = np.arange(2000) ** 2 % 997
    alone = _alone(2000)
    assert mean_difference(steps, alone, 0) == mean_difference(steps, alone, 0)
    assert mean_difference(steps, alone, 0) != mean_difference(steps, alone, 1)
    assert mean_difference(steps, np.zeros(2000, dtype=np.int64), 0) is None


def test_holm() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") is 0.03 0.06 0.06 0.02.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
