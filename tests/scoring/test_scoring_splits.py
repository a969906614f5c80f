"""`assign_splits`: exact size, names together, independent of order."""

import unicodedata
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgld.keyed import order_key
from mgld.scoring import assign_splits

GROUPS = st.lists(st.integers(1, 5), min_size=1, max_size=25)


def records(sizes):
    """Landmark ids and names: group g has sizes[g] records of one name."""
    names = [f"Abbey {g}" for g, size in enumerate(sizes) for _ in range(size)]
    return np.arange(len(names)) * 7 + 3, names


def reachable(sizes):
    sums = {0}
    for size in sizes:
        sums |= {total + size for total in sums}
    return sums


@settings(max_examples=150, deadline=None)
@given(sizes=GROUPS, seed=st.integers(0, 1000), wanted=st.integers(0, 60))
def test_invariants(sizes, seed, wanted):
    ids, names = records(sizes)
    if wanted not in reachable(sizes):
        with pytest.raises(ValueError, match=f"test size {wanted}"):
            assign_splits(ids, names, test_size=wanted, seed=seed)
        return
    splits = assign_splits(ids, names, test_size=wanted, seed=seed)
    test = splits.split == "test"
    assert set(splits.split) <= {"train", "test"}
    assert test.sum() == wanted
    assert sorted(splits.test_order[test]) == list(range(wanted))
    assert (splits.test_order[~test] == -1).all()
    assert splits.test_paper.sum() == (wanted + 1) // 2
    assert (splits.test_order[splits.test_paper] < (wanted + 1) // 2).all()
    assert list(splits.landmark_id) == list(ids)
    sides = defaultdict(set)
    for name, side in zip(names, splits.split, strict=True):
        sides[name].add(str(side))
    assert all(len(side) == 1 for side in sides.values())


@settings(max_examples=50, deadline=None)
@given(sizes=GROUPS, seed=st.integers(0, 1000))
def test_independent_of_the_order_of_rows(sizes, seed):
    ids, names = records(sizes)
    wanted = max(total for total in reachable(sizes) if total <= len(ids) // 2)
    order = np.random.default_rng(seed).permutation(len(ids))
    first = assign_splits(ids, names, test_size=wanted, seed=seed)
    second = assign_splits(ids[order], [names[i] for i in order], test_size=wanted, seed=seed)
    assert np.array_equal(first.split[order], second.split)
    assert np.array_equal(first.test_order[order], second.test_order)
    assert np.array_equal(first.test_paper[order], second.test_paper)


def test_order_is_the_keyed_order_of_the_name():
    ids = np.arange(40)
    names = [f"name {i}" for i in ids]
    splits = assign_splits(ids, names, test_size=10, seed=4)
    expected = sorted(ids, key=lambda i: order_key(4, "split", names[i]))[:10]
    rows = np.flatnonzero(splits.test_order >= 0)
    assert list(rows[np.argsort(splits.test_order[rows])]) == expected
    other = assign_splits(ids, names, test_size=10, seed=5)
    assert not np.array_equal(splits.split, other.split)


def test_a_smaller_test_set_is_a_prefix_where_names_are_unique():
    ids = np.arange(100)
    names = [str(i) for i in ids]
    small = assign_splits(ids, names, test_size=10, seed=0)
    large = assign_splits(ids, names, test_size=30, seed=0)
    chosen = small.test_order >= 0
    assert np.array_equal(small.test_order[chosen], large.test_order[chosen])


def test_names_equal_after_nfc_stay_together():
    name = "Café"
    names = [name, unicodedata.normalize("NFD", name)] + [str(i) for i in range(8)]
    for seed in range(30):
        splits = assign_splits(np.arange(10), names, test_size=3, seed=seed)
        assert splits.split[0] == splits.split[1]


def test_a_group_that_does_not_fit_is_skipped_and_small_ones_fill_up():
    """Over many seeds the large group is met first, last, and when it just does not fit."""
    names = ["big"] * 6 + [str(i) for i in range(6)]
    seen = Counter(
        str(assign_splits(np.arange(12), names, test_size=6, seed=seed).split[0])
        for seed in range(60)
    )
    assert seen["test"] > 0
    assert seen["train"] > 30


def test_an_exact_fill_is_found_where_first_fit_fails():
    """Groups of 2 and 3, 3 wanted: first fit would take the 2 and stop."""
    names = ["two"] * 2 + ["three"] * 3
    for seed in range(20):
        splits = assign_splits(np.arange(5), names, test_size=3, seed=seed)
        assert list(splits.split) == ["train"] * 2 + ["test"] * 3


def test_refusals():
    with pytest.raises(ValueError, match="cannot be reached exactly"):
        assign_splits([1, 2, 3, 4], ["a", "a", "b", "b"], test_size=3, seed=0)
    with pytest.raises(ValueError, match="test size 5: there are 2"):
        assign_splits([1, 2], ["a", "b"], test_size=5, seed=0)
    with pytest.raises(ValueError, match="test size -1"):
        assign_splits([1, 2], ["a", "b"], test_size=-1, seed=0)
    with pytest.raises(ValueError, match="occurs more than once"):
        assign_splits([1, 1], ["a", "b"], test_size=1, seed=0)
    with pytest.raises(ValueError, match="2 landmark ids, but 1 names"):
        assign_splits([1, 2], ["a"], test_size=1, seed=0)
    with pytest.raises(ValueError, match="expected integers"):
        assign_splits([0.5], ["a"], test_size=1, seed=0)
    assert len(assign_splits([], [], test_size=0, seed=0).split) == 0
