"""The int8 engine gives the oracle's numbers, its bounds hold, and it is taken where it pays."""

import os
import subprocess
import sys
import time
import weakref
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scoring_families import FAMILIES, check, cones, fast_bytes, gaussian, permuted, unit

from mgld.scoring import exact_sim, int8_choice, sim_rsr
from mgld.scoring.exact import exact_sim_pairs


@pytest.fixture
def int8(monkeypatch):
    """Backend "cpu" is the int8 engine, however small the input."""
    monkeypatch.setattr("mgld.scoring.blocked.int8_pays", lambda *shape: True)


@fast_bytes
@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(0, 15), st.integers(1, 150), st.integers(1, 140)),
    k=st.integers(1, 140),
    small=st.booleans(),
    repeat=st.booleans(),
)
def test_equals_the_oracle(family, seed, shape, k, small, repeat):
    rng = np.random.default_rng(seed)
    images, names = family(rng, *shape)
    if repeat:
        names = names[rng.integers(0, len(names), len(names))]
    own = rng.integers(0, len(names), len(images))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mgld.scoring.blocked.int8_pays", lambda *shape: True)
        if small:  # lists that are full after every panel, tasks of few images
            patch.setattr("mgld.scoring.int8_task.LIST_PAIRS", 1)
            patch.setattr("mgld.scoring.int8_engine.TASK_IMAGES", 4)
        check(images, names, own, k=k, backend="cpu")


@fast_bytes
def test_equals_the_float32_engine_at_clip_size(int8, monkeypatch):
    """Thousands of names of 768 dimensions, repeats and near ties among them, several tasks."""
    monkeypatch.setattr("mgld.scoring.int8_engine.TASK_IMAGES", 60)
    rng = np.random.default_rng(4)
    images, names = cones(rng, 300, 3000, 768)
    names[2000:2040] = names[:40]
    names[2100:2120] = np.nextafter(names[:20], np.float32(2))
    images[:60] = names[1990:2050]
    own = rng.integers(0, 3000, 300)
    own[:60] = np.arange(1990, 2050)
    ours = sim_rsr(images, names, own, backend="cpu")
    monkeypatch.setattr("mgld.scoring.blocked.int8_pays", lambda *shape: False)
    theirs = sim_rsr(images, names, own, backend="cpu")
    for field in fields(ours):
        assert np.array_equal(getattr(ours, field.name), getattr(theirs, field.name)), field.name
    check(images[40:46], names, own[40:46], k=10, backend="cpu")


@fast_bytes
@pytest.mark.parametrize("bound", ["rest", "last"])
def test_without_either_bound_it_would_be_wrong(int8, bound, monkeypatch):
    """The inputs have teeth: a tier that takes its product for exact gives wrong ranks."""
    from mgld.scoring import int8_pack

    images, names = permuted(np.random.default_rng(5), 3, 200, 64)
    images[0] *= -1  # equal images would be their own centre, and nothing left of them
    own = np.array([0, 1, 2])
    check(images, names, own, k=5, backend="cpu")
    quantise = int8_pack.quantise

    def careless(*arguments):
        found = quantise(*arguments)
        nothing = np.zeros(len(found.scale))
        if bound == "rest":
            return replace(found, rest=nothing)
        return replace(found, last=nothing, second=nothing)

    monkeypatch.setattr(int8_pack, "quantise", careless)
    with pytest.raises(AssertionError):
        check(images, names, own, k=5, backend="cpu")


@fast_bytes
@pytest.mark.parametrize("dim", [1, 5, 64, 100, 640, 768])
@pytest.mark.parametrize("family", FAMILIES)
def test_bounds_hold_and_are_not_vacuous(family, dim):
    """Equations (1), (2) and (3) of `int8_quantise`, in float64 from the digits."""
    from mgld.scoring.int8_quantise import quantise, turn_for

    rng = np.random.default_rng(dim)
    images, names = family(rng, 37, 37, dim)
    a, b = images.mean(axis=0), names.mean(axis=0)
    turn = turn_for(dim)
    x, y = quantise(images, np.arange(37), a, turn), quantise(names, np.arange(37), b, turn)
    sims = np.stack(
        [exact_sim_pairs(images, np.arange(37), names, np.full(37, j)) for j in range(37)]
    )
    wide = [v.astype(np.float64) for v in (images, names, a, b)]
    centred = sims.T - wide[1] @ wide[2] - (wide[0] @ wide[3])[:, None] + wide[2] @ wide[3]
    p, q = (z.digits.astype(np.float64) for z in (x, y))
    scale = np.outer(x.scale, y.scale.astype(np.float64)) / turn.factor
    one = scale * (p[:, 0] @ q[:, 0].T)
    two = scale * (p[:, 0] @ q[:, 0].T + (p[:, 0] @ q[:, 1].T + p[:, 1] @ q[:, 0].T) / 256)
    bound_one = (np.outer(x.rest, y.whole) + np.outer(x.first, y.rest)) / turn.factor
    bound_two = (
        np.outer(x.last, y.whole) + np.outer(x.both, y.last) + np.outer(x.second, y.second)
    ) / turn.factor
    tiny = 1e-14  # of this test's own float64
    assert (np.abs(centred - one) <= bound_one + tiny).all()
    assert (np.abs(centred - two) <= bound_two + tiny).all()
    length = np.outer(
        np.linalg.norm(wide[0] - wide[2], axis=1), np.linalg.norm(wide[1] - wide[3], axis=1)
    )
    assert (bound_one <= 0.05 * length + 1e-12).all()
    assert (bound_two <= 4e-4 * length + 1e-12).all()
    if family is gaussian and dim == 768:
        assert np.abs(centred - one).max() > bound_one.max() / 100


@fast_bytes
def test_tiers_leave_little(int8):
    """On vectors like CLIP's, closer looks are at a few in a hundred pairs, exact sums at a few."""
    from mgld.scoring.distinct import distinct
    from mgld.scoring.int8_engine import Int8Engine
    from mgld.scoring.int8_task import Task

    images, names = cones(np.random.default_rng(0), 100, 4000, 768)
    own = np.argsort(images @ names.T, axis=1)[:, -40]  # rank about 40
    engine = Int8Engine(distinct(names), images)
    task = Task(engine._names, images, exact_sim(images, names[own]), 10)
    found = task.advance()
    assert task.done
    assert task.looked < 0.05 * 100 * 4000
    assert len(found.near) < 100 * 6
    assert len(found.top) < 100 * 12


@fast_bytes
@pytest.mark.parametrize(
    ("images", "names"),
    [
        pytest.param([[1]], [[1]], id="one name of one dimension"),
        pytest.param([[1], [-1]], [[-1], [1], [1]], id="one dimension"),
        pytest.param([[3, 4]], [[3, 4]], id="one name"),
        pytest.param([[1, 2, 3], [3, 2, 1]], [[1, 2, 3]] * 9, id="all names equal"),
        pytest.param([[1, 0], [3, 4]], [[1, 0], [0, 1], [3, 4], [3, 4], [-1, 0]], id="by hand"),
        pytest.param(np.eye(70)[:5], -np.eye(70), id="orthogonal"),
        pytest.param(np.ones((2, 3)), [[1, 2, 3], [3, 1, 2], [2, 3, 1]], id="zero margins"),
    ],
)
def test_small_cases(int8, images, names):
    images, names = unit(images), unit(names)
    for own in {0, len(names) - 1}:
        check(images, names, np.full(len(images), own), k=4, backend="cpu")


@fast_bytes
def test_layouts_and_memmaps(int8, tmp_path):
    rng = np.random.default_rng(0)
    names = unit(rng.normal(size=(90, 30)))
    np.save(tmp_path / "names.npy", names)
    mapped = np.load(tmp_path / "names.npy", mmap_mode="r")
    wide = np.zeros((90, 64), dtype=np.float32)
    wide[:, 3:33] = names
    for same in (names, mapped, np.asfortranarray(names), wide[:, 3:33], names[::-1][::-1]):
        check(same[::3], same, np.arange(0, 90, 3), k=4, backend="cpu")


@fast_bytes
@pytest.mark.parametrize("dim", [1, 3, 16, 31, 768])
def test_compiled_exact_sums_are_the_exact_sums(dim):
    from mgld.scoring.exact_compiled import exact_unit_pairs

    for family in FAMILIES:
        a, b = family(np.random.default_rng(dim), 400, 300, dim)
        rows = np.random.default_rng(1).integers(0, 300, 400)
        every = np.arange(400)
        assert np.array_equal(
            exact_unit_pairs(a, every, b, rows), exact_sim_pairs(a, every, b, rows)
        )


@fast_bytes
def test_compiled_exact_sums_of_what_cancels():
    """Exact ties and sums far below the rounding of their terms: left to `math.fsum`."""
    from mgld.scoring.exact_compiled import exact_unit_pairs

    half = unit(np.random.default_rng(0).normal(size=(500, 32)))
    a = np.concatenate([half, half], axis=1) * np.float32(np.sqrt(0.5))
    b = np.concatenate([half, -half], axis=1) * np.float32(np.sqrt(0.5))
    b[:, 5] = np.nextafter(b[:, 5], np.float32(2))
    every = np.arange(500)
    sims = exact_unit_pairs(a, every, b, every)
    assert np.array_equal(sims, exact_sim_pairs(a, every, b, every))
    assert 0 < np.abs(sims).max() < 1e-7


@fast_bytes
def test_what_fills_the_last_panel_is_never_looked_at(monkeypatch):
    """While fewer than K names have been met, the floor is no -inf: padding would pass it."""
    from mgld.scoring.distinct import distinct
    from mgld.scoring.int8_engine import Int8Engine
    from mgld.scoring.int8_sift import FLOOR
    from mgld.scoring.int8_task import Task

    monkeypatch.setattr("mgld.scoring.int8_task.LIST_PAIRS", 1)  # a panel at a time
    images, names = gaussian(np.random.default_rng(0), 7, 100, 16)
    engine = Int8Engine(distinct(names), images)
    task = Task(engine._names, images, exact_sim(images, names[:7]), 80)
    while not task.done:
        task.advance()
        assert (task._packed.facts[:, FLOOR] >= np.float32(-1e30)).all()
    assert task.looked <= 7 * 100


@fast_bytes
@pytest.mark.parametrize("pairs", [1, 1 << 19])
def test_few_tasks_are_in_flight_however_many_images(int8, pairs, monkeypatch):
    """T threads hold what T + 2 tasks found, not all of a block; more images than a block has."""
    from mgld.scoring import int8_engine, int8_task

    threads, made, most = 3, {"tasks": [], "found": []}, {"tasks": 0, "found": 0}

    def watch(kind, result):
        made[kind].append(weakref.ref(result))
        most[kind] = max(most[kind], sum(one() is not None for one in made[kind]))
        return result

    class Watched(int8_task.Task):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            watch("tasks", self)

        def advance(self):
            return watch("found", super().advance())

    monkeypatch.setattr(int8_engine, "Task", Watched)
    monkeypatch.setattr(int8_engine, "TASK_IMAGES", 4)
    monkeypatch.setattr(int8_task, "LIST_PAIRS", pairs)
    rng = np.random.default_rng(0)
    images, names = cones(rng, 2 * 8 * threads * 4 + 5, 200, 32)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        check(images, names, rng.integers(0, 200, len(images)), k=5, backend="cpu")
    finally:
        torch.set_num_threads(before)
    assert len(made["tasks"]) >= 2 * 8 * threads
    assert 0 < most["tasks"] <= threads + 2
    assert 0 < most["found"] <= threads + 2


@fast_bytes
@pytest.mark.parametrize(
    ("threads", "tasks"), [(1, 8), (4, 32), (5, 40), (6, 42), (42, 42), (64, 64)]
)
def test_a_block_has_whole_tasks_and_at_most_16384_images(threads, tasks, monkeypatch):
    """More only where each thread has one task: a block of images is copied."""
    from mgld.scoring.distinct import distinct
    from mgld.scoring.int8_engine import Int8Engine

    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    images, names = gaussian(np.random.default_rng(0), 3, 20, 16)
    assert Int8Engine(distinct(names), images).image_block == tasks * 384


AUTO = """
import numpy as np
from mgld.scoring import blocked, int8_choice, sim_rsr

int8_choice.LEAST_PRODUCTS = 0
engines, choose = [], blocked._engine
blocked._engine = lambda *given: engines.append(choose(*given)) or engines[-1]
vectors = np.random.default_rng(0).normal(size=(50, 16))
vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
auto, oracle = (
    sim_rsr(vectors[:9], vectors, np.arange(9)[::-1].copy(), backend=backend)
    for backend in ("auto", "oracle")
)
print(type(engines[0]).__name__, np.array_equal(auto.rank, oracle.rank))
"""


class TestChoice:
    large = (2**14, 2**16, 768)

    @pytest.fixture(autouse=True)
    def fresh(self, monkeypatch):
        int8_choice._fast_bytes.cache_clear()
        monkeypatch.setattr(int8_choice, "_faster", lambda: True)
        yield
        int8_choice._fast_bytes.cache_clear()

    @fast_bytes
    def test_large_products(self):
        assert int8_choice.int8_pays(*self.large)
        assert not int8_choice.int8_pays(2**12, 2**16, 768)
        assert not int8_choice.int8_pays(2**14, 2**16, 2**15)

    def test_not_where_it_is_measured_to_be_slower(self, monkeypatch):
        monkeypatch.setattr(int8_choice, "_faster", lambda: False)
        assert not int8_choice.int8_pays(*self.large)

    def test_not_without_the_instructions(self, monkeypatch):
        pytest.importorskip("numba")
        every = "+avx512bw,+avx512f,+avx512vl,+avx512vnni"
        for said, pays in {
            every: True,
            "": False,
            "+avx512f": False,
            every.replace("+avx512vnni", "-avx512vnni"): False,
            f"-avx2,{every}": False,
        }.items():
            int8_choice._fast_bytes.cache_clear()
            monkeypatch.setattr(int8_choice, "_target_features", lambda said=said: said)
            assert int8_choice.int8_pays(*self.large) is pays, said

    @fast_bytes
    @pytest.mark.parametrize(
        "variable",
        [
            "NUMBA_CPU_NAME=generic",
            "NUMBA_ENABLE_AVX=0",
            "NUMBA_CPU_FEATURES=-avx512vnni",
            "NUMBA_CPU_FEATURES=+avx512bw,+avx512f,+avx512vl,+avx512vnni,-avx2",
            "NUMBA_DISABLE_JIT=1",
        ],
    )
    def test_float32_where_numba_may_not_use_the_instructions(self, variable):
        """LLVM would end the process: "Do not know how to split the result of this operator!"."""
        name, _, value = variable.partition("=")
        done = subprocess.run(
            [sys.executable, "-c", AUTO],
            env={**os.environ, name: value},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stdout) == (0, "DenseEngine True\n"), done.stderr

    def test_without_numba_everything_works(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "numba", None)
        monkeypatch.setattr(int8_choice, "LEAST_PRODUCTS", 0)
        assert not int8_choice.int8_pays(*self.large)
        images, names = gaussian(np.random.default_rng(0), 5, 20, 8)
        check(images, names, np.arange(5), k=3, backend="auto")


@fast_bytes
class TestMeasurement:
    @pytest.mark.parametrize("slow", ["int8_engine.Int8Engine", "dense_engine.DenseEngine"])
    def test_the_faster_engine_is_taken(self, slow, monkeypatch):
        import mgld.scoring.dense_engine
        import mgld.scoring.int8_engine  # noqa: F401

        def sift(self, *arguments):
            time.sleep(0.3)
            yield from ()

        monkeypatch.setattr(f"mgld.scoring.{slow}.sift", sift)
        assert int8_choice._faster.__wrapped__() is (slow != "int8_engine.Int8Engine")

    def test_float32_where_numba_cannot_compile_it(self, monkeypatch):
        import mgld.scoring.int8_engine

        def refuse(*arguments):
            raise RuntimeError("LLVM IR parsing error")

        monkeypatch.setattr(mgld.scoring.int8_engine, "pack_names", refuse)
        with pytest.warns(UserWarning, match="no int8 .LLVM IR parsing error"):
            assert int8_choice._faster.__wrapped__() is False
