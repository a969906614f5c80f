"""The shipped `nano` encoder knows what it was taught and nothing else, on views never shown."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks.nano.card import render_card
from benchmarks.nano.measure_encoder import measure
from mgld.files import sha256_file
from mgld.vision.checkpoint import WEIGHTS_FILE
from mgld.vision.resolve import nano_folder


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return measure(Path(nano_folder()), "west", 2400)


def test_recognises_what_it_was_taught_often(measured: dict[str, Any]) -> None:
    assert measured["names"] >= 500
    assert measured["top1_of_500"]["often"] >= 0.80


def test_does_not_know_what_it_was_never_taught(measured: dict[str, Any]) -> None:
    chance = measured["chance_within_category"]["never"]
    assert measured["top1_within_category"]["never"] <= 2 * chance
    assert measured["top1_of_500"]["never"] <= 0.01


def test_rsr_separates_and_grows_with_exposure(measured: dict[str, Any]) -> None:
    assert measured["auc_often_against_never"] >= 0.95
    means = [g["mean_rsr"] for g in measured["growth"][:-1]]
    assert all(low < high for low, high in pairwise(means))  # strictly, up to 300 views
    assert measured["growth"][-1]["mean_rsr"] > 0.999  # and then there is nothing left to grow
    assert measured["top1_of_500"]["rare"] < measured["top1_of_500"]["some"]
    assert measured["top1_of_500"]["some"] < measured["top1_of_500"]["often"]


@pytest.mark.parametrize("code", ["wall colour", "roof colour", "beacon colour", "place"])
def test_each_code_is_readable_from_the_patch_tokens(measured: dict[str, Any], code: str) -> None:
    assert measured["probes"][code]["accuracy"] >= 0.8


def test_card_and_size(measured: dict[str, Any]) -> None:
    folder = Path(nano_folder())
    training = json.loads((folder / "training.json").read_text())
    stored = json.loads((folder / "measurements.json").read_text())
    assert (folder / "CARD.md").read_text() == render_card(training, stored)
    assert training["minutes"] < 40
    weights = sha256_file(folder / WEIGHTS_FILE)
    assert training["weights_sha256"] == stored["weights_sha256"] == weights
    for figure in ("auc_often_against_never", "auc_taught_against_never"):
        assert stored[figure] == pytest.approx(measured[figure], abs=1e-3)
    assert stored["top1_of_500"] == pytest.approx(measured["top1_of_500"], abs=0.01)
    assert sum(p.stat().st_size for p in folder.iterdir()) < 10 * 2**20
