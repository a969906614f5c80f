"""Wilson's interval against published values, and what sharing a landmark does to it."""

import numpy as np
import pytest

from mgld.evaluate.intervals import cluster_codes, effective_number, share_interval, wilson


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [
        # Newcombe 1998 (Stat. Med. 17:857-872), table I; scipy.stats.binomtest gives the same.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # The paper's baseline; scipy.stats.binomtest(217, 2500).proportion_ci(method="wilson").
        (217, 2500, 0.076387971, 0.098479913),
    ],
)
def test_published_values(count: int, n: int, low: float, high: float) -> None:
    assert wilson(count / n, n) == pytest.approx((low, high), abs=6e-5)
    found = share_interval([True] * count + [False] * (n - count))
    assert found is not None
    assert (found.low, found.high) == wilson(count / n, n)
    assert found.method == "wilson"


def test_ends_are_exact_and_impossible_shares_refused() -> None:
    assert wilson(0.0, 7)[0] == 0.0
    assert wilson(1.0, 7)[1] == 1.0
    for share, n in ((0.5, 0), (1.1, 5), (-0.1, 5), (float("nan"), 5)):
        with pytest.raises(ValueError, match="no interval"):
            wilson(share, n)
    assert share_interval([]) is None


def test_a_cluster_for_each_item_changes_nothing() -> None:
    hits = [True] * 30 + [False] * 70
    assert share_interval(hits, [f"landmark {i}" for i in range(100)]) == share_interval(hits)


@pytest.mark.parametrize("copies", [2, 5])
@pytest.mark.parametrize("right", [0, 1, 20, 50])
def test_copies_of_a_question_are_worth_one(copies: int, right: int) -> None:
    """Every question asked several times with the same result: as good as asked once."""
    hits = [True] * right + [False] * (50 - right)
    many = share_interval(hits * copies, list(range(50)) * copies)
    once = share_interval(hits)
    assert many is not None and once is not None
    assert many.method == "clustered wilson"
    assert (many.low, many.high) == pytest.approx((once.low, once.high))


def test_never_more_than_the_items_that_are_there() -> None:
    # Each landmark right once and wrong once: less varied than chance, but no surer than 40 items.
    hits = np.array([True, False] * 20)
    assert effective_number(hits, np.repeat(np.arange(20), 2)) == 40
    hits[1] = True  # now there is a variance, far below that of 40 independent items
    assert effective_number(hits, np.repeat(np.arange(20), 2)) == 40
    assert effective_number(np.array([True, False, True]), np.zeros(3, dtype=np.int64)) == 1


def test_covers_the_truth_about_as_often_as_it_says() -> None:
    """200 questions on 50 landmarks, each landmark with a chance of its own (mean 0.2)."""
    rng = np.random.default_rng(7)
    clusters = list(np.repeat(np.arange(50), 4))
    covered, ignoring = 0, 0
    for _ in range(400):
        chances = np.repeat(rng.beta(0.4, 1.6, size=50), 4)
        hits = rng.random(200) < chances
        for interval, by_landmark in (
            (share_interval(hits, clusters), 1),
            (share_interval(hits), 0),
        ):
            assert interval is not None
            inside = interval.low <= 0.2 <= interval.high
            covered += inside and by_landmark
            ignoring += inside and not by_landmark
    assert 0.92 <= covered / 400 <= 0.98
    assert ignoring / 400 < 0.9


def test_clusters_may_be_any_keys_but_one_for_each_item() -> None:
    assert cluster_codes(["b", ("a", 1), "b"], 3).tolist() == [0, 1, 0]
    assert cluster_codes(None, 3).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="2 clusters for 3 items"):
        cluster_codes([1, 2], 3)
