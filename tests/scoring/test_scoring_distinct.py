"""Names with equal vectors are found, whatever hashes do, and nothing is copied."""

import numpy as np
import pytest

from mgld.scoring import distinct as module
from mgld.scoring.distinct import distinct


def by_hand(names):
    seen = {}
    return [seen.setdefault(row.tobytes(), len(seen)) for row in names]


@pytest.mark.parametrize("collide", [False, True])
@pytest.mark.parametrize("kinds", [1, 7, 400])
def test_groups_are_those_of_the_bytes(kinds, collide, monkeypatch):
    rng = np.random.default_rng(kinds)
    names = rng.normal(size=(kinds, 5)).astype(np.float32)[rng.integers(0, kinds, 300)]
    names[:3] = [[0.0] * 5, [-0.0] * 5, [0.0] * 5]  # equal numbers, different bytes
    if collide:
        monkeypatch.setattr(module, "_hashes", lambda x: np.zeros(len(x), dtype=np.uint64))
    monkeypatch.setattr(module, "_BLOCK_ELEMENTS", 64)
    found = distinct(names)
    assert found.group.tolist() == by_hand(names)
    assert found.first.tolist() == [by_hand(names).index(u) for u in range(len(found))]
    assert found.weights.tolist() == np.bincount(found.group).tolist()
    for u in range(len(found)):
        rows = found.rows[found.starts[u] : found.starts[u + 1]]
        assert rows.tolist() == np.flatnonzero(found.group == u).tolist()
    assert np.array_equal(found.block(0, len(found)), names[found.first])


def test_blocks_are_views_where_no_repeat_is_between():
    names = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    names[12] = names[3]
    found = distinct(names)
    assert len(found) == 19
    assert np.shares_memory(found.block(0, 12), names)
    assert np.shares_memory(found.block(12, 19), names)
    assert not np.shares_memory(found.block(10, 14), names)
    assert np.array_equal(found.block(12, 19), names[13:])
