"""The knowledge study of a small world: against the world's own facts, and byte for byte."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mgld
from benchmarks.nano import data
from benchmarks.nano.knowledge import (
    FALSE_RATES,
    KNOWLEDGE_FILE,
    RULES,
    SCORES,
    study,
    write_study,
)
from benchmarks.nano.knowledge_facts import budgets, counted_anew, softmax_of, taught
from benchmarks.nano.place import Place
from benchmarks.nano.plan import PAPER_SIZES
from benchmarks.nano.record import Questions
from benchmarks.nano.report.page_knowledge import draw_study, read_study, render_study
from benchmarks.nano.report.write import write_report
from benchmarks.nano.rule_subsets import write_rule_subsets
from eeca_ref.data.mgld import MgldSource
from eeca_ref.recipes.composing import compose
from mgld.build.read import BuildView
from mgld.build.stages.vectors import column_vectors
from mgld.evaluate.questions import load_questions
from mgld.figures import read_records
from mgld.hub.load import config_names
from mgld.vision import load_encoder
from mgld.world import read_ground_truth

SIZES = {"25k": 20, "50k": 40}


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> BuildView:
    out = tmp_path_factory.mktemp("study") / "build"
    words = ["build", "--source", "world:100", "--encoder", "nano", "--out", str(out)]
    subprocess.run([Path(sys.executable).parent / "mgld", *words], check=True, capture_output=True)
    return BuildView(out)


def test_no_landmark_is_in_test_and_validation_set(
    view: BuildView, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {
        split: {each.landmark_id for each in load_questions(view.root, split)}
        for split in ("test", data.SPLIT)
    }
    monkeypatch.setattr(data, "TEST", len(ids["test"]))
    validation = {each.landmark_id for each in load_questions(view.root, data.validation_split())}
    assert validation and ids[data.SPLIT]
    assert not validation & ids[data.SPLIT]
    assert validation | ids[data.SPLIT] == ids["test"]


def test_counts_are_those_of_the_world(view: BuildView) -> None:
    found = study(view)
    records = read_records(view)
    pool = records.landmark_id[~records.test]
    truth = {row["landmark_id"]: row for row in read_ground_truth(view.source_root()).to_pylist()}
    tiers = [truth[number]["tier"] for number in pool.tolist()]
    assert found["pool"] + found["test"] == len(records)
    for id, count in {
        "ever": len(tiers) - tiers.count("never"),
        "known": tiers.count("some") + tiers.count("often"),
        "often": tiers.count("often"),
        "itself": sum(truth[number]["taught_views"] > 0 for number in pool.tolist()),
        "parts_100": sum(truth[number]["taught_code_views"] >= 100 for number in pool.tolist()),
    }.items():
        assert found["definitions"][id]["taught"] == count
        assert found["definitions"][id]["landmarks"] == len(pool)
    among = found["definitions"]["itself_among_often"]
    assert among["landmarks"] == tiers.count("often") > among["taught"] > 0


def test_purities_are_counted(view: BuildView) -> None:
    """The build's own subsets, read from its files, against the study's orders."""
    found = study(view, sizes=SIZES)
    truth = {
        row["landmark_id"]: row["tier"] for row in read_ground_truth(view.source_root()).to_pylist()
    }
    table = view.table("splits", "subsets").to_pylist()
    checked = 0
    for method in ("hds", "hss", "lcs", "brs"):
        order = [row["landmark_id"] for row in table if row["method"] == method]
        for size in found["sizes"].values():
            if size > len(order):
                continue
            known = sum(truth[number] in ("some", "often") for number in order[:size])
            value = found["definitions"]["known"]["precision"][method][str(size)]
            assert value["taught"] == known
            assert value["precision"] == pytest.approx(known / size, abs=1e-6)
            checked += 1
    assert checked >= 4


def test_a_rules_subset_is_the_builds_own_where_the_rule_is(view: BuildView) -> None:
    place = Place(view.root.parent)
    sizes = [
        int(name.removeprefix("hds"))
        for name in config_names(place.build / "dataset")
        if name[:3] == "hds"
    ]
    write_rule_subsets(place, "hds", sizes)
    for size in sizes:
        mine, its = (MgldSource(str(at), f"hds{size}") for at in (place.rules, place.build))
        assert mine.fingerprint() == its.fingerprint()
        assert mine.read_image("0") == its.read_image("0")


def test_a_rules_subset_is_the_first_by_its_score(view: BuildView) -> None:
    place = Place(view.root.parent)
    write_rule_subsets(place, "entropy", [10, 20])
    before = {path.name: path.read_bytes() for path in place.rules.iterdir()}
    write_rule_subsets(place, "entropy", [10, 20])
    assert {path.name: path.read_bytes() for path in place.rules.iterdir()} == before
    pool = read_records(view)
    ids = pool.landmark_id[~pool.test]
    entropy, _ = softmax_of(view, ids)
    found = mgld.load(place.rules, "entropy20", split="train")["landmark_id"]
    assert found[:] == ids[np.argsort(entropy, kind="stable")][:20].tolist()
    assert mgld.load(place.rules, "entropy10", split="train")["landmark_id"][:] == found[:10]
    with pytest.raises(ValueError, match=f"of {len(ids) + 1} from {len(ids)} training records"):
        write_rule_subsets(place, "entropy", [len(ids) + 1])


def test_budgets_are_those_of_the_preset_that_fit() -> None:
    sizes = [
        int(compose(f"nano/fig5_hds_{name}")["data"]["source"]["config"].removeprefix("hds"))
        for name in PAPER_SIZES
    ]
    assert list(budgets(10**6).values()) == sizes
    assert list(budgets(sizes[1])) == ["25k", "50k"]
    assert budgets(1) == {}


def test_all_rules_hold_the_same_once_all_is_chosen(view: BuildView) -> None:
    for definition in study(view, sizes=SIZES)["definitions"].values():
        if "along" not in definition:
            continue
        along = definition["along"]
        assert along["sizes"][-1] == definition["landmarks"]
        share = definition["taught"] / definition["landmarks"]
        assert [along[rule][-1] for rule in RULES] == pytest.approx([share] * len(RULES), abs=1e-6)
        for size, best in definition["best_possible"].items():
            for rule in RULES:
                assert definition["precision"][rule][size]["precision"] <= best + 1e-6


def test_the_encoder_knows_what_it_was_taught(view: BuildView) -> None:
    areas = study(view)["definitions"]["ever"]["areas"]
    assert areas["rsr"]["auc"] > 0.9
    for name in SCORES:
        assert areas[name]["low"] < areas[name]["auc"] < areas[name]["high"]
        if name != "rsr":
            over = areas[name]["auc"] - areas["rsr"]["auc"]
            assert areas[name]["over_rsr"] == pytest.approx(over, abs=3e-6)
            assert areas[name]["over_low"] <= over + 3e-6 <= areas[name]["over_high"] + 6e-6


def test_the_other_half_is_what_it_was_not_taught(view: BuildView) -> None:
    west, east = (study(view, half)["definitions"] for half in ("west", "east"))  # type: ignore[arg-type]
    assert west["ever"]["taught"] + east["ever"]["taught"] == west["ever"]["landmarks"]
    sums = west["ever"]["areas"]["rsr"]["auc"] + east["ever"]["areas"]["rsr"]["auc"]
    assert sums == pytest.approx(1, abs=3e-6)


def test_counting_anew_gives_the_worlds_own_facts(
    view: BuildView,
) -> None:
    ids = read_records(view).landmark_id
    stamp = (view.source_root() / "world.txt").read_text()
    anew = counted_anew(stamp, ids, "west")
    facts = taught(view, ids, "west")
    assert [anew[i]["tier"] for i in ids.tolist()] == facts.tier.tolist()
    assert [anew[i]["taught_views"] for i in ids.tolist()] == facts.views.tolist()
    assert [anew[i]["taught_code_views"] for i in ids.tolist()] == facts.code_views.tolist()


def test_softmax_is_torchs(view: BuildView) -> None:
    import torch

    ids = read_records(view).landmark_id[::17]
    entropy, largest = softmax_of(view, ids)
    chosen = {
        row["landmark_id"]: row["vector"] for row in view.table("selection", "part").to_pylist()
    }
    images = torch.tensor([chosen[i] for i in ids.tolist()], dtype=torch.float64)
    names = column_vectors(view.table("embeddings", "names", ["vector"])["vector"])
    scale = load_encoder("nano").model.logit_scale.detach().double().exp()
    p = torch.softmax(scale * images @ torch.tensor(names, dtype=torch.float64).T, dim=1)
    assert largest == pytest.approx(p.max(1).values.numpy(), rel=1e-6)
    wanted = torch.distributions.Categorical(probs=p).entropy().numpy()
    assert entropy == pytest.approx(wanted, rel=1e-5)


def test_same_build_same_bytes_and_no_paths(view: BuildView, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        write_study(view, tmp_path / name)
    text = (tmp_path / "a.json").read_text()
    assert text == (tmp_path / "b.json").read_text()
    assert str(view.root) not in text
    assert "seconds" not in text


def test_curves_rise(view: BuildView) -> None:
    known = study(view)["definitions"]["known"]
    assert known["false_rates"] == pytest.approx(FALSE_RATES.tolist(), abs=1e-6)
    for rates in known["true_rates"].values():
        assert all(np.diff(rates) >= 0)
        assert rates[-1] == 1


def test_page_and_figures(view: BuildView, tmp_path: Path) -> None:
    found = write_study(view, tmp_path / "results" / "knowledge.json", sizes=SIZES)
    assert [drawing.name for drawing in draw_study(found)] == ["roc", "precision-at-k"]
    text = render_study(json.loads(json.dumps(found)), "PICTURES")
    known = found["definitions"]["known"]
    size = str(found["sizes"]["25k"])
    share = f"{100 * known['precision']['lcs'][size]['precision']:.1f}"
    assert f"| LCS | {share}" in text
    write_report(tmp_path / "results", tmp_path / "out" / "RESULTS.md")
    page = (tmp_path / "out" / "RESULTS.md").read_text()
    assert "figures/roc.svg" in page
    assert (tmp_path / "out" / "figures" / "precision-at-k.png").is_file()


def test_a_study_of_another_build_than_the_runs_is_refused(view: BuildView, tmp_path: Path) -> None:
    found = write_study(view, tmp_path / KNOWLEDGE_FILE, sizes=SIZES)
    mine = Questions(sha256={"west": found["questions_sha256"]}, names=1, landmarks={})
    assert read_study(tmp_path, mine) == found
    with pytest.raises(ValueError, match="another build than the runs: make it anew"):
        read_study(tmp_path, mine.model_copy(update={"sha256": {"west": "0" * 64}}))


def test_photographs_are_refused(view: BuildView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.nano.knowledge_facts.read_ground_truth", lambda root: None)
    with pytest.raises(ValueError, match="no procedural world"):
        study(view)
