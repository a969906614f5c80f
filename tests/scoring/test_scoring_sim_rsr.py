"""All backends give the oracle's numbers, for inputs made to break them."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scoring_families import FAMILIES, check, permuted, unit

from mgld.scoring import Scores, sim_rsr

FAST = ["cpu", "faiss", "auto"]


def small_blocks(patch):
    """Blocks of 7 names and 5 images, so that small inputs cross many borders."""
    import mgld.scoring.dense_engine as dense
    import mgld.scoring.faiss_engine as flat

    for module in (dense, flat):
        patch.setattr(module, "NAME_BLOCK", 7)
    patch.setattr(flat, "_SPARE", 1)
    patch.setattr(flat.FaissEngine, "image_block", 5)
    start = dense.DenseEngine.__init__

    def started(self, *args):
        start(self, *args)
        self.image_block = 5

    patch.setattr(dense.DenseEngine, "__init__", started)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("backend", FAST)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(0, 12), st.integers(1, 40), st.integers(2, 33)),
    k=st.integers(1, 45),
    small=st.booleans(),
    repeat=st.booleans(),
)
def test_fast_backends_equal_the_oracle(backend, family, seed, shape, k, small, repeat):
    rng = np.random.default_rng(seed)
    images, names = family(rng, *shape)
    if repeat:
        names = names[rng.integers(0, len(names), len(names))]
    own = rng.integers(0, len(names), len(images))
    with pytest.MonkeyPatch.context() as patch:
        if small:
            small_blocks(patch)
        check(images, names, own, k=k, backend=backend)


@pytest.mark.parametrize("backend", FAST)
def test_names_beyond_one_block(backend):
    """The real block sizes: 20,000 names with repeats and near ties, at CLIP's dimension."""
    rng = np.random.default_rng(3)
    center = rng.normal(size=64)
    names = unit(center + rng.normal(size=(20_000, 64)))
    names[9_000:9_300] = names[:300]
    names[15_000:15_100] = np.nextafter(names[:100], np.float32(2))
    images = unit(center + rng.normal(size=(6, 64)))
    images[:3] = names[:3]
    check(images, names, np.array([0, 15_001, 9_002, 5, 19_999, 7]), k=10, backend=backend)


@pytest.mark.parametrize("backend", FAST)
def test_names_that_improve_block_by_block(backend):
    """Every block of names is better than all before it, so each replaces the nearest."""
    angles = np.linspace(1.5, 0.7, 30_000)  # 10^-5 apart in the cosine
    names = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    images = np.array([[1, 0]], dtype=np.float32)
    scores = sim_rsr(images, names, [29_989], backend=backend)
    assert scores.rank[0] == 11
    assert list(scores.nearest[0]) == list(range(29_999, 29_989, -1))


@pytest.mark.parametrize("backend", ["cpu", "faiss"])
def test_without_the_error_bound_the_backends_would_be_wrong(backend, monkeypatch):
    """The adversarial inputs have teeth: a bound of nothing gives wrong ranks."""
    import mgld.scoring.dense_engine as dense
    import mgld.scoring.faiss_engine as flat

    rng = np.random.default_rng(5)
    images, names = permuted(rng, 3, 200, 64)
    own = np.array([0, 1, 2])
    check(images, names, own, k=5, backend=backend)
    for module in (dense, flat):
        monkeypatch.setattr(module, "float32_error_bound", lambda dim: 0.0)
    with pytest.raises(AssertionError):
        check(images, names, own, k=5, backend=backend)


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, mgld.scoring, mgld.cli.score; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "faiss", "numba", "datasets", "pyarrow", "tqdm"} & set(done.stdout.split())


@pytest.mark.parametrize("backend", ["oracle", *FAST])
class TestDefinition:
    def test_ranks_by_hand(self, backend):
        names = np.array([[1, 0], [0, 1], [0.6, 0.8], [0.6, 0.8], [-1, 0]], dtype=np.float32)
        images = np.array([[1, 0], [0.6, 0.8], [1, 0], [0, 1]], dtype=np.float32)
        scores = sim_rsr(images, names, [0, 3, 4, 2], k=2, backend=backend)
        assert isinstance(scores, Scores)
        assert len(scores) == 4
        assert list(scores.rank) == [1, 1, 5, 2]  # a tie with an equal name does not lower a rank
        assert list(scores.rsr) == [1.0, 1.0, 0.0, 0.75]
        assert scores.nearest.tolist() == [[0, 2], [2, 3], [0, 2], [1, 2]]  # ties by row
        assert scores.margin[1] == 0.0
        assert scores.margin[0] == 1.0 - float(np.float32(0.6))
        assert scores.margin[2] == -2.0

    def test_one_name(self, backend):
        one = np.array([[0.6, 0.8]], dtype=np.float32)
        scores = sim_rsr(one, one, [0], k=3, backend=backend)
        assert (scores.rank[0], scores.rsr[0], scores.margin[0]) == (1, 1.0, np.inf)
        assert scores.nearest.tolist() == [[0, -1, -1]]
        assert np.isnan(scores.nearest_sim[0]).tolist() == [False, True, True]

    def test_all_names_equal(self, backend):
        names = np.repeat(unit([[1, 2, 3]]), 9, axis=0)
        scores = sim_rsr(names[:2], names, [8, 0], k=4, backend=backend)
        assert list(scores.rank) == [1, 1]
        assert list(scores.margin) == [0.0, 0.0]
        assert scores.nearest.tolist() == [[0, 1, 2, 3]] * 2

    def test_no_images(self, backend):
        names = np.eye(3, dtype=np.float32)
        scores = sim_rsr(names[:0], names, np.empty(0, np.int64), k=5, backend=backend)
        assert scores.nearest.shape == (0, 5)
        assert scores.rank.dtype == np.int64

    def test_memmaps(self, backend, tmp_path):
        rng = np.random.default_rng(0)
        names = unit(rng.normal(size=(50, 8)))
        own = np.arange(50)
        for label, array in (("names", names), ("own", own)):
            np.save(tmp_path / f"{label}.npy", array)
        mapped = {x: np.load(tmp_path / f"{x}.npy", mmap_mode="r") for x in ("names", "own")}
        scores = sim_rsr(mapped["names"], mapped["names"], mapped["own"], backend=backend)
        assert (scores.rank == 1).all()
        assert (scores.nearest[:, 0] == own).all()

    def test_inputs_are_not_changed_and_need_no_order(self, backend):
        rng = np.random.default_rng(0)
        names = np.asfortranarray(unit(rng.normal(size=(30, 6))))
        images = names[::3]
        before = names.copy()
        scores = sim_rsr(images, names, np.arange(0, 30, 3), backend=backend)
        assert (scores.rank == 1).all()
        assert np.array_equal(names, before)


@pytest.mark.parametrize("backend", FAST)
def test_progress_reaches_the_end(backend):
    names = np.eye(3, dtype=np.float32)
    seen = []
    sim_rsr(names, names, [0, 1, 2], backend=backend, progress=lambda *state: seen.append(state))
    assert seen[-1] == (3, 3)


class TestRefusals:
    good = unit(np.random.default_rng(0).normal(size=(12, 4)))
    own = np.arange(12)

    @pytest.mark.parametrize(
        ("value", "words"),
        [(np.nan, "holds NaN or inf"), (np.inf, "holds NaN or inf"), (9, "length 9")],
    )
    @pytest.mark.parametrize("side", ["image", "name"])
    def test_first_bad_row_is_named(self, side, value, words):
        bad = self.good.copy()
        bad[7:9] = [value, 0, 0, 0]
        inputs = (bad, self.good) if side == "image" else (self.good, bad)
        with pytest.raises(ValueError, match=f"^{side} row 7: {words}"):
            sim_rsr(*inputs, self.own)

    def test_zero_vector_and_tolerance(self):
        bad = self.good.copy()
        bad[3] = 0
        with pytest.raises(ValueError, match="image row 3: length 0, not 1"):
            sim_rsr(bad, self.good, self.own)
        sim_rsr(self.good * np.float32(1.0009), self.good * np.float32(0.9991), self.own)
        with pytest.raises(ValueError, match="name row 0"):
            sim_rsr(self.good, self.good * np.float32(1.0012), self.own)

    @pytest.mark.parametrize("value", [-1, 12, 2**40])
    def test_own_out_of_range(self, value):
        own = self.own.copy()
        own[7] = value
        with pytest.raises(ValueError, match=rf"^own\[7\] = {value}: not a row of the 12 names"):
            sim_rsr(self.good, self.good, own)

    def test_shapes_and_dtypes(self):
        cases = [
            (
                (self.good.astype(np.float64), self.good, self.own),
                "image vectors: expected float32",
            ),
            ((self.good, self.good[0], self.own), "name vectors: expected shape"),
            ((self.good, self.good[:0], self.own), "no names"),
            ((self.good, unit(np.ones((12, 5))), self.own), "4 dimensions, name vectors 5"),
            ((self.good, self.good, self.own[:5]), "own: expected shape"),
            ((self.good, self.good, self.own[:, None]), "own: expected shape"),
            ((self.good, self.good, self.own.astype(float)), "own: expected integers"),
        ]
        for arguments, words in cases:
            with pytest.raises(ValueError, match=words):
                sim_rsr(*arguments)

    @pytest.mark.parametrize("k", [0, -1, 2.0, True])
    def test_k(self, k):
        with pytest.raises(ValueError, match="k = "):
            sim_rsr(self.good, self.good, self.own, k=k)

    def test_backends(self):
        with pytest.raises(ValueError, match="must be one of auto, cpu"):
            sim_rsr(self.good, self.good, self.own, backend="gpu")
        import torch

        if not torch.cuda.is_available():
            with pytest.raises(ValueError, match="no CUDA device"):
                sim_rsr(self.good, self.good, self.own, backend="cuda")


@pytest.mark.parametrize("family", FAMILIES)
def test_cuda_equals_the_oracle(family):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")  # a user's TF32 must not reach the ranks
    try:
        images, names = family(np.random.default_rng(0), 40, 700, 256)
        check(images, names, np.arange(40), k=10, backend="cuda")
    finally:
        torch.set_float32_matmul_precision(before)
