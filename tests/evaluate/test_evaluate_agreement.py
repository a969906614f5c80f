"""Agreement, against values worked out by hand and known examples."""

from __future__ import annotations

from itertools import product

import pytest

from mgld.evaluate.agreement import agreement
from mgld.evaluate.records import LEVELS

S, K, W, U = LEVELS


def from_matrix(matrix, levels=LEVELS):
    """Labels and verdicts whose confusion matrix is `matrix`."""
    reference, judged = [], []
    for (row, a), (column, b) in product(enumerate(levels), enumerate(levels)):
        reference += [a] * matrix[row][column]
        judged += [b] * matrix[row][column]
    return reference, judged


def test_cohen_1960() -> None:
    # Cohen 1960, table 1 (proportions of 200): kappa .492 by its printed marginals.
    matrix = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
    found = agreement(*from_matrix(matrix, (S, K, W)))
    # p_o = 140/200; p_e = (120*100 + 60*60 + 20*40) / 200^2 = 0.41
    assert found.kappa == pytest.approx((0.7 - 0.41) / (1 - 0.41))
    assert round(found.kappa, 3) == 0.492
    assert found.exact == pytest.approx(0.7)
    assert found.matrix == [[88, 14, 18, 0], [10, 40, 10, 0], [2, 6, 12, 0], [0, 0, 0, 0]]


def test_quadratic_weights_by_hand() -> None:
    # Each level once by the labels; by the judge two strongly known or known, two unknown.
    reference, judged = [S, K, W, U], [K, S, U, U]
    observed = 1 + 1 + 1
    expected = sum((r - c) ** 2 for r in range(4) for c in (0, 1, 3, 3)) / 4
    found = agreement(reference, judged)
    assert found.quadratic_kappa == pytest.approx(1 - observed / expected)
    assert found.kappa == pytest.approx((1 / 4 - 1 / 4) / (1 - 1 / 4))


def test_far_misses_cost_more_than_near_ones_in_the_quadratic_one_only() -> None:
    reference = [S, K, W, U] * 5
    near = [*[S, K, W, U] * 4, K, K, W, U]
    far = [*[S, K, W, U] * 4, U, K, W, U]
    a, b = agreement(reference, near), agreement(reference, far)
    assert a.quadratic_kappa > b.quadratic_kappa
    assert a.exact == b.exact


def test_perfect_and_reversed() -> None:
    perfect = agreement([S, K, W, U], [S, K, W, U])
    assert (perfect.kappa, perfect.quadratic_kappa, perfect.exact) == (1.0, 1.0, 1.0)
    reverse = agreement([S, U], [U, S])
    assert reverse.quadratic_kappa == pytest.approx(-1.0)


def test_unscored_is_no_level() -> None:
    found = agreement([S, K, W, U], [S, "unscored", W, "unscored"])
    assert (found.items, found.scored, found.unscored, found.unscored_share) == (4, 2, 2, 0.5)
    assert sum(map(sum, found.matrix)) == 2
    assert found.kappa == 1.0
    only = agreement([S, K], ["unscored", "unscored"])
    assert only.kappa is only.quadratic_kappa is only.exact is only.kappa_interval is None
    assert only.unscored_share == 1.0


def test_nothing_and_one_class_have_no_kappa() -> None:
    empty = agreement([], [])
    assert (empty.items, empty.unscored_share, empty.kappa, empty.exact) == (0, 0.0, None, None)
    one = agreement([U, U, U], [U, U, U])
    assert one.kappa is one.quadratic_kappa is one.kappa_interval is None
    assert one.exact == 1.0
    # A judge that always says the same agrees no better than chance, however often it is right.
    constant = agreement([U, U, U, S], [U, U, U, U])
    assert constant.kappa == constant.quadratic_kappa == pytest.approx(0.0)


def test_what_is_no_level_is_refused() -> None:
    with pytest.raises(ValueError, match="2 labels and 1 verdicts"):
        agreement([S, K], [S])
    with pytest.raises(ValueError, match="'great'"):
        agreement(["great"], [S])
    with pytest.raises(ValueError, match="'unscored'"):
        agreement(["unscored"], [S])


MIXED = [[30, 6, 3, 1], [5, 25, 8, 2], [2, 7, 24, 7], [0, 3, 6, 31]]


def test_intervals_hold_the_value_and_follow_the_seed() -> None:
    reference, judged = from_matrix(MIXED)
    found = agreement(reference, judged, seed=1)
    for value, interval in (
        (found.kappa, found.kappa_interval),
        (found.quadratic_kappa, found.quadratic_kappa_interval),
        (found.exact, found.exact_interval),
    ):
        assert interval.low < value < interval.high
        assert 0.05 < interval.high - interval.low < 0.3
    assert agreement(reference, judged, seed=1) == found
    assert agreement(reference, judged, seed=2) != found


def test_the_interval_of_kappa_is_near_its_asymptotic_one() -> None:
    # Fleiss, Cohen and Everitt 1969 (Psychol. Bull. 72:323-327), for the plain kappa.
    reference, judged = from_matrix(MIXED)
    found = agreement(reference, judged)
    n = sum(map(sum, MIXED))
    p = [[x / n for x in row] for row in MIXED]
    rows, columns = [sum(r) for r in p], [sum(c) for c in zip(*p, strict=True)]
    po = sum(p[i][i] for i in range(4))
    pe = sum(rows[i] * columns[i] for i in range(4))
    kappa = (po - pe) / (1 - pe)
    a = sum(p[i][i] * (1 - (rows[i] + columns[i]) * (1 - kappa)) ** 2 for i in range(4))
    b = (1 - kappa) ** 2 * sum(
        p[i][j] * (columns[i] + rows[j]) ** 2 for i in range(4) for j in range(4) if i != j
    )
    c = (kappa - pe * (1 - kappa)) ** 2
    error = ((a + b - c) / n) ** 0.5 / (1 - pe)
    assert found.kappa == pytest.approx(kappa)
    assert found.kappa_interval.low == pytest.approx(kappa - 1.96 * error, abs=0.02)
    assert found.kappa_interval.high == pytest.approx(kappa + 1.96 * error, abs=0.02)


def test_copies_in_a_cluster_tell_no_more_than_one() -> None:
    reference, judged = from_matrix(MIXED)
    alone = agreement(reference, judged).quadratic_kappa_interval
    every = list(range(len(reference)))
    copies = agreement(reference * 9, judged * 9, clusters=every * 9).quadratic_kappa_interval
    free = agreement(reference * 9, judged * 9).quadratic_kappa_interval
    assert copies.high - copies.low == pytest.approx(alone.high - alone.low, rel=0.15)
    assert free.high - free.low < 0.5 * (copies.high - copies.low)


def test_one_cluster_has_no_interval() -> None:
    found = agreement([S, K, W], [S, W, W], clusters=["a", "a", "a"])
    assert found.kappa_interval is None
    assert found.kappa is not None
