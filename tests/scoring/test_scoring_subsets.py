"""`select`, `percentiles`, and the sizes and names of subsets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgld.keyed import order_key
from mgld.scoring import (
    METHODS,
    config_name,
    default_sizes,
    default_test_size,
    parse_config_name,
    percentiles,
    rsr_of_rank,
    select,
)


def pool(seed, count, levels=6):
    """Scores with many ties; landmark ids in no order."""
    rng = np.random.default_rng(seed)
    rank = rng.integers(1, levels, count)
    return {
        "sim": rng.integers(0, levels, count) / 10,
        "rank": rank,
        "rsr": rsr_of_rank(rank, levels + 3),
        "margin": rng.integers(-2, 3, count) / 7,
        "landmark_id": rng.permutation(3 * count)[:count],
    }


def by_hand(scores, method, seed, excluded):
    """The definition, record by record."""
    rows = [row for row in range(len(excluded)) if not excluded[row]]

    def percentile(values, row):
        below = sum(values[other] < values[row] for other in rows)
        equal = sum(values[other] == values[row] for other in rows)
        return (2 * below + equal) / (2 * len(rows))

    def key(row):
        landmark = int(scores["landmark_id"][row])
        if method == "hds":
            return scores["rank"][row], -scores["margin"][row], landmark
        if method == "hss":
            return -scores["sim"][row], landmark
        if method == "lcs":
            corner = max(percentile(scores["sim"], row), percentile(scores["rsr"], row))
            return corner, landmark
        return order_key(seed, "brs", landmark), landmark

    return sorted(rows, key=key)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 40),
    share=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_select_follows_the_definition_and_is_nested(method, seed, count, share):
    scores = pool(seed, count)
    exclude = np.random.default_rng(seed + 1).random(count) < share
    expected = by_hand(scores, method, seed, exclude)
    for size in range(len(expected) + 1):
        chosen = select(**scores, method=method, size=size, seed=seed, exclude=exclude)
        assert chosen.dtype == np.int64
        assert chosen.tolist() == expected[:size]
    with pytest.raises(ValueError, match=f"there are {len(expected)} candidates"):
        select(**scores, method=method, size=len(expected) + 1, exclude=exclude)


@pytest.mark.parametrize("method", METHODS)
def test_select_does_not_depend_on_the_order_of_rows(method):
    scores = pool(7, 60)
    shuffle = np.random.default_rng(0).permutation(60)
    shuffled = {name: values[shuffle] for name, values in scores.items()}
    ids = scores["landmark_id"][select(**scores, method=method, size=25)]
    assert list(ids) == list(shuffled["landmark_id"][select(**shuffled, method=method, size=25)])


def test_brs_depends_on_the_seed_and_is_not_sorted():
    scores = pool(3, 200)
    first = select(**scores, method="brs", size=100, seed=0)
    assert list(first) != list(select(**scores, method="brs", size=100, seed=1))
    assert 25 < len(set(first) & set(range(100))) < 75


def test_lcs_is_the_smallest_corner_box():
    """All chosen lie in one box [0, c] x [0, c] of percentiles; no one inside it is left out."""
    rng = np.random.default_rng(2)
    sim, rank = rng.normal(size=500), rng.permutation(500) + 1
    rsr = rsr_of_rank(rank, 600)
    chosen = select(sim, rank, rsr, sim, np.arange(500), method="lcs", size=60)
    corner = np.maximum(percentiles(sim), percentiles(rsr))
    assert corner[chosen].max() <= np.delete(corner, chosen).min()


def test_excluded_rows_may_hold_nan_and_take_no_part():
    scores = pool(5, 30)
    exclude = np.arange(30) % 3 == 0
    expected = {m: select(**scores, method=m, size=9, exclude=exclude) for m in METHODS}
    for name in ("sim", "rsr", "margin"):
        scores[name] = np.where(exclude, np.nan, scores[name])
    for method in METHODS:
        chosen = select(**scores, method=method, size=9, exclude=exclude)
        assert list(chosen) == list(expected[method])
        assert not exclude[chosen].any()


@pytest.mark.parametrize("name", ["sim", "rsr", "margin"])
@pytest.mark.parametrize("method", METHODS)
def test_nan_among_candidates_is_refused(name, method):
    scores = pool(5, 10)
    scores[name] = scores[name].astype(float)
    scores[name][4] = np.nan
    with pytest.raises(ValueError, match=rf"{name}\[4\] is NaN"):
        select(**scores, method=method, size=3)


def test_select_refuses_wrong_calls():
    scores = pool(5, 10)
    with pytest.raises(ValueError, match="must be one of hds, hss, lcs, brs"):
        select(**scores, method="HDS", size=3)
    with pytest.raises(ValueError, match="size -1"):
        select(**scores, method="hds", size=-1)
    with pytest.raises(ValueError, match="occurs more than once"):
        select(**{**scores, "landmark_id": np.zeros(10, int)}, method="hds", size=3)
    with pytest.raises(ValueError, match="margin: expected shape"):
        select(**{**scores, "margin": np.zeros(9)}, method="hds", size=3)
    with pytest.raises(ValueError, match="rank: expected integer"):
        select(**{**scores, "rank": np.ones(10)}, method="hds", size=3)
    with pytest.raises(ValueError, match="exclude: expected bool"):
        select(**scores, method="hds", size=3, exclude=np.zeros(10, int))


def test_a_margin_of_infinity_is_a_margin():
    assert list(select([0.1], [1], [1.0], [np.inf], [5], method="hds", size=1)) == [0]


def test_percentiles_are_mid_ranks():
    assert percentiles([3, 1, 3, 2]).tolist() == [0.75, 0.125, 0.75, 0.375]
    part = percentiles([3.0, 1.0, np.nan, 2.0], exclude=[False, False, True, False])
    assert part[[0, 1, 3]].tolist() == [5 / 6, 1 / 6, 0.5]
    assert np.isnan(part[2])
    assert percentiles([]).tolist() == []
    with pytest.raises(ValueError, match="NaN"):
        percentiles([np.nan])


def test_default_sizes():
    assert default_sizes(198_094) == (25_000, 50_000, 125_000)
    assert default_sizes(100_000) == (25_000, 50_000)
    assert default_sizes(45_000) == (25_000,)
    assert default_sizes(1_800) == (220, 450, 1_100)
    assert default_sizes(216) == (27, 54, 130)
    assert default_sizes(2) == (1,)
    assert default_sizes(0) == ()
    assert [default_test_size(n) for n in (203_094, 50_000, 49_999, 239, 9)] == [
        5_000,
        5_000,
        4_999,
        23,
        0,
    ]


@given(method=st.sampled_from(METHODS), size=st.integers(1, 10**7))
def test_config_names_are_read_back(method, size):
    assert parse_config_name(config_name(method, size)) == (method, size)


def test_config_names():
    assert config_name("hds", 25_000) == "hds25k"
    assert config_name("lcs", 2_500) == "lcs2500"
    assert config_name("brs", 250) == "brs250"
    assert parse_config_name("hds1000") == parse_config_name("hds1k") == ("hds", 1000)
    for bad in ("full", "hds", "hds0", "hds-5", "hds2.5k", "xyz25k", "hds25K", "hds025", ""):
        with pytest.raises(ValueError, match="is not a subset"):
            parse_config_name(bad)
    with pytest.raises(ValueError, match="no subset"):
        config_name("hds", 0)
