"""Training the nano encoder twice gives the same weights, and the record says from what."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.nano.bpe import nano_merges
from benchmarks.nano.lessons import curriculum, draw, lessons_sha256, sample_sha256
from benchmarks.nano.train_encoder import arguments
from mgld.files import sha256_file
from mgld.vision import load_encoder
from mgld.vision.resolve import nano_folder

ROOT = Path(__file__).resolve().parents[2]


RECORD = json.loads((nano_folder() / "training.json").read_text())


def test_the_shipped_weights_come_from_the_scripts_defaults() -> None:
    settings = vars(arguments().parse_args(["--out", "anywhere"]))
    assert {k: v for k, v in settings.items() if k != "out"} == RECORD["settings"]


def test_the_lessons_are_still_those_of_the_shipped_weights() -> None:
    """A changed picture, caption, owner or tokenizer means that the weights must be made anew."""
    assert sample_sha256(curriculum("west"), nano_merges()) == RECORD["sample_sha256"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_lessons_are_still_those_of_the_shipped_weights() -> None:
    shown = curriculum("west")
    assert lessons_sha256(shown, draw(shown), nano_merges()) == RECORD["data_sha256"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_same_seed_same_weights(tmp_path: Path) -> None:
    records = []
    for name in ("one", "two"):
        command = [sys.executable, "-m", "benchmarks.nano.train_encoder", "--out", tmp_path / name]
        subprocess.run([*command, "--steps", "12"], cwd=ROOT, check=True)
        records.append(json.loads((tmp_path / name / "training.json").read_text()))
    weights = [tmp_path / name / "open_clip_model.safetensors" for name in ("one", "two")]
    assert sha256_file(weights[0]) == sha256_file(weights[1])
    assert records[0]["data_sha256"] == records[1]["data_sha256"]
    assert load_encoder(str(tmp_path / "one")).embed_dim == 128
