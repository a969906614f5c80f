"""`exact_sim` is math.fsum, and the float32 error bound holds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgld.scoring import exact, exact_sim, float32_error_bound


def unit(x):
    x = np.asarray(x, dtype=np.float64)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def by_fsum(a, b):
    products = a.astype(np.float64) * b.astype(np.float64)
    return np.array([math.fsum(row) for row in products.tolist()])


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    dim=st.integers(1, 70),
    rows=st.integers(0, 40),
    spread=st.sampled_from([0, 4, 30]),
    scale=st.sampled_from([1.0, 1e-3, 1e3, 1e15, 1e-30]),
)
def test_exact_sim_is_fsum_for_any_finite_rows(seed, dim, rows, spread, scale):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, rows, dim)) * 2.0 ** rng.integers(
        -spread, spread + 1, (2, rows, dim)
    )
    a, b = (a * scale).astype(np.float32), b.astype(np.float32)
    assert np.array_equal(exact_sim(a, b), by_fsum(a, b))


def test_exact_sim_of_cancelling_rows():
    """Sums that cancel to a rest far below the rounding of any partial sum."""
    rng = np.random.default_rng(0)
    half = unit(rng.normal(size=(500, 32)))
    a = np.concatenate([half, half], axis=1) * np.float32(math.sqrt(0.5))
    b = np.concatenate([half, -half], axis=1)
    b[:, 5] = np.nextafter(b[:, 5], np.float32(2))
    result = exact_sim(a, b)
    assert np.array_equal(result, by_fsum(a, b))
    assert 0 < np.abs(result).max() < 1e-7


def test_exact_sim_of_orthogonal_rows_is_positive_zero():
    basis = np.eye(8, dtype=np.float32)
    result = exact_sim(basis, -np.roll(basis, 1, axis=0))
    assert np.array_equal(result, np.zeros(8))
    assert not np.signbit(result).any()


def test_exact_sim_needs_fsum_rarely(monkeypatch):
    rng = np.random.default_rng(1)
    a, b = unit(rng.normal(size=(2000, 768))), unit(rng.normal(size=(2000, 768)))
    calls = []
    fsum = exact._fsum
    monkeypatch.setattr(exact, "_fsum", lambda products: calls.append(1) or fsum(products))
    assert np.array_equal(exact_sim(a, b), by_fsum(a, b))
    assert len(calls) < 5


def test_exact_sim_is_more_than_float64():
    """The test could fail: a plain float64 sum is often off in the last bit."""
    rng = np.random.default_rng(2)
    a, b = unit(rng.normal(size=(500, 300))), unit(rng.normal(size=(500, 300)))
    assert (np.einsum("ij,ij->i", a, b, dtype=np.float64) != by_fsum(a, b)).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_exact_sim_refuses_what_is_not_finite(bad):
    a = np.ones((3, 2), dtype=np.float32)
    b = a.copy()
    b[1, 0] = bad
    with pytest.raises(ValueError, match="not finite"):
        exact_sim(a, b)


def test_exact_sim_refuses_wrong_shapes_and_dtypes():
    a = np.ones((3, 2), dtype=np.float32)
    with pytest.raises(ValueError, match="the same"):
        exact_sim(a, a[:2])
    with pytest.raises(ValueError, match="b: expected float32"):
        exact_sim(a, a.astype(np.float64))
    with pytest.raises(ValueError, match="a: expected float32"):
        exact_sim(a[0], a)


def sequential_float32(a, b):
    total = np.float32(0)
    for x, y in zip(a, b, strict=True):
        total = np.float32(total + np.float32(x * y))
    return float(total)


@pytest.mark.parametrize("dim", [1, 2, 64, 768])
def test_error_bound_holds_for_any_order_and_is_not_vacuous(dim):
    rng = np.random.default_rng(dim)
    bound = float32_error_bound(dim)
    worst = 0.0
    families = [unit(rng.normal(size=(20, dim))), unit(np.ones((1, dim)) + 1e-3)]
    for family in families:
        for a in family:
            for b in (a, family[0]):
                sim = exact_sim(a[None], b[None])[0]
                order = np.argsort(-np.abs(a * b))
                sums = [
                    float(a @ b),
                    sequential_float32(a, b),
                    sequential_float32(a[order], b[order]),
                    sequential_float32(a[order[::-1]], b[order[::-1]]),
                ]
                worst = max(worst, *(abs(s - sim) for s in sums))
    assert worst <= bound
    # gamma_d is a worst case over all roundings: real sums come within a factor of about sqrt(d).
    assert dim == 1 or worst > bound / (40 * math.sqrt(dim))
    assert bound < 1.1 * dim * 2.0**-24 + 1e-15


def test_error_bound_refuses_absurd_dimensions():
    with pytest.raises(ValueError, match="length 0"):
        float32_error_bound(0)
