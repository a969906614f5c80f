"""Dispersion: equal to plain loops and to scikit-learn, and honest about what is random."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from mgld.scoring import measure_dispersion
from mgld.scoring.dispersion import MEASURES


def cloud(seed=0, sizes=(9, 4, 13, 1), spread=0.6, dimension=12, centers=1.0):
    """Unit vectors around a center per category, and their labels."""
    random = np.random.default_rng(seed)
    label = [f"c{k}" for k, size in enumerate(sizes) for _ in range(size)]
    middle = {name: centers * random.normal(size=dimension) for name in sorted(set(label))}
    vectors = np.array([middle[name] + spread * random.normal(size=dimension) for name in label])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), label


def of(measured, subset, measure):
    (found,) = [each for each in measured if (each.subset, each.measure) == (subset, measure)]
    return found


def everything(vectors, label, **more):
    """Measures of all records as one subset."""
    mask = np.ones(len(label), dtype=bool)
    return {
        each.measure: each
        for each in measure_dispersion(vectors, label, {"all": mask}, draws=5, **more)
    }


def test_within_is_the_mean_cosine_distance_of_pairs_of_a_category():
    vectors, label = cloud(sizes=(7,))
    x = vectors.astype(np.float64)
    pairs = [1 - x[i] @ x[j] for i in range(7) for j in range(i)]
    assert everything(vectors, label)["within"].value == pytest.approx(np.mean(pairs), abs=1e-6)


def test_within_and_between_are_the_components_of_an_analysis_of_variance():
    vectors, label = cloud()
    x = vectors.astype(np.float64)
    groups = [x[[text == name for text in label]] for name in sorted(set(label))]
    n, count = len(x), len(groups)
    within = sum(((g - g.mean(0)) ** 2).sum() for g in groups) / (n - count)
    means = sum(len(g) * ((g.mean(0) - x.mean(0)) ** 2).sum() for g in groups) / (count - 1)
    typical = (n - sum(len(g) ** 2 for g in groups) / n) / (count - 1)
    found = everything(vectors, label)
    assert found["within"].value == pytest.approx(within, rel=1e-5)
    assert found["between"].value == pytest.approx((means - within) / typical, rel=1e-5)
    assert found["ratio"].value == pytest.approx((means - within) / typical / within, rel=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_silhouette_is_that_of_scikit_learn(seed):
    vectors, label = cloud(seed, spread=1.5)
    order = np.random.default_rng(seed).permutation(len(label))  # categories not side by side
    vectors, label = vectors[order], [label[k] for k in order]
    expected = silhouette_samples(vectors.astype(np.float64), label, metric="cosine").mean()
    assert everything(vectors, label)["silhouette"].value == pytest.approx(expected, abs=1e-6)


def test_unevenness_is_the_variation_of_the_counts():
    vectors, label = cloud()
    counts = np.array([9, 4, 13, 1])
    found = everything(vectors, label)["unevenness"]
    assert found.value == pytest.approx(counts.std() / counts.mean())
    assert found.same_categories is None


def test_between_is_unbiased_where_nothing_is_between():
    values = []
    for seed in range(200):
        vectors, label = cloud(seed, sizes=(3, 5, 2, 8), centers=0)
        values.append(everything(vectors, label)["between"].value)
    error = np.std(values) / np.sqrt(len(values))
    assert min(values) < 0
    assert abs(np.mean(values)) < 3 * error


def test_records_without_a_label_count_in_nothing():
    vectors, label = cloud()
    strange = np.eye(12, dtype=np.float32)[:3]
    more = everything(np.concatenate([vectors, strange]), [*label, None, None, None])
    plain = everything(vectors, label)
    assert {m: e.value for m, e in more.items()} == {m: e.value for m, e in plain.items()}
    assert more["within"].records == len(label)
    assert more["within"].categories == 4


def test_what_is_not_defined_is_none():
    vectors, label = cloud(sizes=(6,))
    found = everything(vectors, label)
    assert [m for m in MEASURES if found[m].value is None] == [
        "between", "ratio", "silhouette", "unevenness",
    ]  # fmt: skip
    alone = everything(vectors, [f"c{k}" for k in range(6)])
    assert [m for m in MEASURES if alone[m].value is not None] == ["unevenness"]
    for measured in (
        measure_dispersion(vectors, label, {"none": np.zeros(6, dtype=bool)}, draws=3),
        measure_dispersion(vectors, [None] * 6, {"all": np.ones(6, dtype=bool)}, draws=3),
    ):
        assert {each.value for each in measured} == {None}
        assert {each.random for each in measured} == {None}
        assert {each.categories for each in measured} == {0}


def test_equal_vectors_have_no_ratio():
    vectors = np.repeat(np.eye(2, dtype=np.float32), 4, axis=0)
    found = everything(vectors, ["a"] * 4 + ["b"] * 4)
    assert found["within"].value == pytest.approx(0, abs=1e-12)
    assert found["ratio"].value is None
    assert found["silhouette"].value == pytest.approx(1)


def test_a_tight_subset_stands_out():
    vectors, label = cloud(1, sizes=(60, 60, 60), spread=0.8)
    middle = {name: vectors[[t == name for t in label]].mean(0) for name in set(label)}
    near = np.array([v @ middle[t] for v, t in zip(vectors, label, strict=True)])
    tight = np.zeros(180, dtype=bool)
    for start in (0, 60, 120):  # the twenty of each category that are nearest to its middle
        tight[start + np.argsort(-near[start : start + 60])[:20]] = True
    measured = measure_dispersion(vectors, label, {"tight": tight}, draws=99)
    for against in ("random", "same_categories"):
        reference = getattr(of(measured, "tight", "within"), against)
        assert of(measured, "tight", "within").value < reference.low
        assert reference.p == pytest.approx(0.02)
        assert getattr(of(measured, "tight", "silhouette"), against).p == pytest.approx(0.02)


def test_random_subsets_stand_out_as_often_as_p_says():
    vectors, label = cloud(1, sizes=(60, 60, 60), spread=0.8)
    random = np.random.default_rng(5)
    subsets = {}
    for number in range(100):
        mask = np.zeros(180, dtype=bool)
        mask[random.choice(180, 40, replace=False)] = True
        subsets[str(number)] = mask
    measured = measure_dispersion(vectors, label, subsets, draws=199)
    for measure in ("within", "silhouette"):
        p = np.array([each.random.p for each in measured if each.measure == measure])
        assert 2 <= (p <= 0.1).sum() <= 22
        assert 33 <= (p <= 0.5).sum() <= 67


def test_same_categories_take_away_what_comes_of_the_categories():
    """A subset that only prefers a compact category is unusual among random ones, not among those
    of its own categories."""
    narrow, _ = cloud(2, sizes=(100,), spread=0.3)
    wide, _ = cloud(3, sizes=(100,), spread=1.5)
    vectors, label = np.concatenate([narrow, wide]), ["narrow"] * 100 + ["wide"] * 100
    random = np.random.default_rng(0)
    mask = np.zeros(200, dtype=bool)
    mask[random.choice(100, 45, replace=False)] = True
    mask[100 + random.choice(100, 5, replace=False)] = True
    found = of(measure_dispersion(vectors, label, {"s": mask}, draws=99), "s", "within")
    assert found.random.p == pytest.approx(0.02)
    assert found.same_categories.p > 0.05


def test_random_subsets_are_of_the_candidates_alone():
    """The other records are far apart: one of them in a draw would show."""
    vectors, label = cloud(4, sizes=(40,), spread=0.2)
    far, _ = cloud(5, sizes=(40,), spread=5.0)
    candidates = np.arange(80) < 40
    mask = np.arange(80) < 10
    found = of(
        measure_dispersion(
            np.concatenate([vectors, far]), label * 2, {"s": mask}, candidates=candidates, draws=50
        ),
        "s",
        "within",
    )
    assert found.random.high < 0.3
    assert found.same_categories.high < 0.3


def test_the_whole_pool_is_the_only_subset_of_its_size():
    vectors, label = cloud()
    found = everything(vectors, label)
    for measure in MEASURES[:4]:
        each = found[measure]
        assert each.random.mean == pytest.approx(each.value)
        assert each.random.low == pytest.approx(each.random.high)
        assert each.random.p == 1


def test_two_runs_are_equal_and_seeds_differ():
    vectors, label = cloud(sizes=(20, 20))
    mask = {"s": np.arange(40) % 3 == 0}
    first, again = (measure_dispersion(vectors, label, mask, draws=20) for _ in range(2))
    other = measure_dispersion(vectors, label, mask, draws=20, seed=1)
    assert first == again
    assert first[0].value == other[0].value
    assert first[0].random != other[0].random


def test_wrong_calls_are_refused():
    vectors, label = cloud()
    mask = {"s": np.ones(len(label), dtype=bool)}
    with pytest.raises(ValueError, match="same records"):
        measure_dispersion(vectors, label[:-1], mask)
    with pytest.raises(ValueError, match="same records"):
        measure_dispersion(vectors, label, {"s": mask["s"][:-1]})
    with pytest.raises(ValueError, match="at least one"):
        measure_dispersion(vectors, label, mask, draws=0)
