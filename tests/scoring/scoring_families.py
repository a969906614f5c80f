"""Images and names made to break a fast backend, and the comparison with the oracle."""

import numpy as np
import pytest

from mgld.scoring import int8_choice, sim_rsr

fast_bytes = pytest.mark.skipif(
    not int8_choice._fast_bytes(), reason="this processor has no AVX-512 VNNI, or numba is absent"
)

FIELDS = ["sim", "rank", "rsr", "margin", "nearest", "nearest_sim"]


def unit(x):
    x = np.asarray(x, dtype=np.float64)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    x[length[:, 0] == 0] = 1.0
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def gaussian(rng, images, names, dim):
    return unit(rng.normal(size=(images, dim))), unit(rng.normal(size=(names, dim)))


def lattice(rng, images, names, dim):
    """Few distinct vectors: many repeats, many exact ties between different vectors."""
    return (
        unit(rng.integers(-1, 2, size=(images, dim))),
        unit(rng.integers(-1, 2, size=(names, dim))),
    )


def last_bits(rng, images, names, dim):
    """Names that differ in the last bits of a few elements: nearer than float32 can tell."""
    base = unit(rng.normal(size=(1, dim)))
    rows = np.repeat(base, names, axis=0)
    for _ in range(2):
        column = rng.integers(0, dim, names)
        at = np.arange(names), column
        rows[at] = np.nextafter(rows[at], rng.choice([-2, 2], names).astype(np.float32))
    return unit(base + 0.3 * rng.normal(size=(images, dim))), rows


def permuted(rng, images, names, dim):
    """Constant images, names that are one vector permuted: exact ties, whatever float32 says."""
    base = unit(rng.normal(size=(1, dim)))[0]
    rows = np.stack([rng.permutation(base) for _ in range(names)])
    return unit(np.ones((images, dim))), rows


def opposite(rng, images, names, dim):
    """Names on one line through the image, both ways; the own similarity at either extreme."""
    base = unit(rng.normal(size=(1, dim)))
    rows = np.repeat(base, names, axis=0) * rng.choice([-1, 1], (names, 1)).astype(np.float32)
    return np.repeat(base, images, axis=0), rows


def cones(rng, images, names, dim):
    """As CLIP's vectors lie: either side around a direction of its own, its spectrum decaying."""
    spread = np.arange(1, dim + 1) ** -0.5
    sides = [rng.normal(size=dim) + 2 * spread * rng.normal(size=(n, dim)) for n in (images, names)]
    return unit(sides[0]), unit(sides[1])


def extremes(rng, images, names, dim):
    """Lengths at either end of the tolerance, elements from 1 down to the subnormal ones."""
    sides = []
    for rows in (images, names):
        size = 2.0 ** rng.choice([0, -3, -20, -126, -140, -149], (rows, dim))
        x = rng.choice([-1, 1], (rows, dim)) * size
        x[np.arange(rows), rng.integers(0, dim, rows)] = 1
        length = 1 + rng.choice([-0.99e-3, 0, 0.99e-3], (rows, 1))
        sides.append((x / np.linalg.norm(x, axis=1, keepdims=True) * length).astype(np.float32))
    return sides[0], sides[1]


FAMILIES = [gaussian, lattice, last_bits, permuted, opposite, cones, extremes]


def check(images, names, own, *, k, backend):
    expected = sim_rsr(images, names, own, k=k, backend="oracle")
    actual = sim_rsr(images, names, own, k=k, backend=backend)
    for field in FIELDS:
        want, got = getattr(expected, field), getattr(actual, field)
        assert got.dtype == want.dtype
        assert np.array_equal(got, want, equal_nan=got.dtype == np.float64), field
