"""Rank intervals: the same decisions as `mgld compare` makes of every pair, and what they cover."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from board_data import letters

from mgld.evaluate.intervals import cluster_codes
from mgld.evaluate.metrics import RECOGNISED
from mgld.evaluate.paired import flip_p, holm, sign_flip_p
from mgld.leaderboard.entry import _STATES
from mgld.leaderboard.ranking import ALPHA, Rank, _binomial_p, _flip_p, rank_intervals


def one_by_one(outcomes: list[str], landmarks: list[int]) -> list[Rank | None]:
    """The same by the functions that `mgld compare` calls, a pair at a time."""
    tests, leads = [], []
    pairs = list(combinations(range(len(outcomes)), 2))
    for first, second in pairs:
        rows = [
            row
            for row, both in enumerate(zip(outcomes[first], outcomes[second], strict=True))
            if "-" not in both
        ]
        codes = cluster_codes([landmarks[row] for row in rows], len(rows))
        right = [
            np.array([_STATES[outcomes[each][row]] in RECOGNISED for row in rows], dtype=np.int64)
            for each in (first, second)
        ]
        tests.append(sign_flip_p(right[0] - right[1], codes))
        leads.append(int(np.sum(right[0] - right[1])))
    better, worse = [0] * len(outcomes), [0] * len(outcomes)
    for (first, second), p, lead in zip(pairs, holm(tests), leads, strict=True):
        if p <= ALPHA and lead:
            winner, loser = (first, second) if lead > 0 else (second, first)
            better[loser] += 1
            worse[winner] += 1
    accuracy = [
        sum(letter in "SK" for letter in each) / sum(letter != "-" for letter in each)
        for each in outcomes
    ]
    places = []
    for row, own in enumerate(accuracy):
        open_to = range(1 + better[row], len(outcomes) - worse[row] + 1)
        rank = 1 + sum(a > own for a in accuracy)
        nearest = min(open_to, key=lambda place: abs(place - rank))
        places.append(Rank(nearest, open_to[0], open_to[-1]))
    return places


@pytest.mark.parametrize("a_landmark", [1, 2, 3])
@pytest.mark.parametrize("unscored", [0.0, 0.05])
def test_the_intervals_are_those_of_the_single_tests(a_landmark: int, unscored: float) -> None:
    outcomes = [letters(240, 0.08 * row, row, unscored)[0] for row in range(10)]
    landmarks = [each // a_landmark if each < 120 else each for each in range(240)]
    found = rank_intervals(outcomes, landmarks)
    assert found == one_by_one(outcomes, landmarks)
    assert {each.high - each.low for each in found if each} - {0}  # some are decided, some are not
    assert all(each and each.low <= each.rank <= each.high for each in found)


def test_mcnemar_in_one_go_is_mcnemar() -> None:
    draw = np.random.default_rng(0)
    ones = np.array([0, 1, 2, 7, 1_000, 5_000, *draw.integers(0, 5_000, 30)])
    seen = np.array([(int(draw.integers(0, k + 1)) + k) // 2 * 2 - k if k else 0 for k in ones])
    expected = [flip_p({1: int(k)} if k else {}, abs(int(t))) for k, t in zip(ones, seen)]  # noqa: B905
    np.testing.assert_allclose(_binomial_p(ones, np.abs(seen)), expected, rtol=1e-9)


def test_the_bound_stands_only_where_it_decides() -> None:
    sizes = np.array([[10, 5], [200, 0], [0, 0], [40, 30]])
    seen = np.array([6, 180, 0, 20])
    found = _flip_p(sizes, seen)
    exact = [flip_p({1: 10, 2: 5}, 6), flip_p({1: 200}, 180), 1.0, flip_p({1: 40, 2: 30}, 20)]
    assert found[[0, 2, 3]].tolist() == [exact[0], 1.0, exact[3]]
    assert exact[1] < found[1] <= ALPHA / 4


def test_equal_submissions_share_a_rank_and_nothing_is_decided() -> None:
    same = letters(100, 0.5, 1)[0]
    assert rank_intervals([same] * 3, list(range(100))) == [Rank(1, 1, 3)] * 3


def test_what_has_no_score_has_no_rank() -> None:
    assert rank_intervals(["SU", "--", "SS"], [1, 2]) == [Rank(2, 1, 2), None, Rank(1, 1, 2)]
    assert rank_intervals(["SU"], [1, 2]) == [Rank(1, 1, 1)]
    assert rank_intervals(["--"], [1, 2]) == [None]
    assert rank_intervals(["SU"], [1, 1]) == [Rank(1, 1, 1)]
    assert rank_intervals(["--"], [1, 1]) == [None]
    with pytest.raises(ValueError, match="one outcome"):
        rank_intervals(["S"], [1, 2])


def test_questions_left_unscored_win_no_place() -> None:
    """A leaves 25 of 5,000 unscored and so has the higher accuracy; on the others it is worse."""
    a = "-" * 25 + "S" * 4_000 + "U" * 12 + "U" * 963
    b = "U" * 25 + "S" * 4_000 + "S" * 12 + "U" * 963
    assert 4_000 / 4_975 > 4_012 / 5_000
    assert rank_intervals([a, b], list(range(5_000))) == [Rank(2, 2, 2), Rank(1, 1, 1)]


@pytest.mark.parametrize("a_landmark", [1, 3])
@pytest.mark.parametrize("spread", [0.0, 0.04])
def test_the_intervals_hold_the_true_ranks(spread: float, a_landmark: int) -> None:
    """All at once in at least 95 % of boards; with equal models, and with close ones."""
    draw = np.random.default_rng(1)
    models, questions, boards, missed = 8, 300, 200, 0
    truth = 0.4 + spread * np.arange(models)
    for _ in range(boards):
        hard = np.repeat(draw.normal(0, 0.2, questions // a_landmark), a_landmark)
        right = draw.random((models, questions)) < np.clip(truth[:, None] + hard, 0, 1)
        outcomes = ["".join(np.where(row, "S", "U")) for row in right]
        found = rank_intervals(outcomes, [each // a_landmark for each in range(questions)])
        for model, each in enumerate(found):
            lowest = 1 + int(np.sum(truth > truth[model]))
            highest = int(np.sum(truth >= truth[model]))
            assert each is not None
            if each.low > lowest or each.high < highest:
                missed += 1
                break
    assert missed <= 0.05 * boards + 2 * (0.05 * 0.95 * boards) ** 0.5
