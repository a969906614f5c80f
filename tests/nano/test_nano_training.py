"""Training the nano encoder twice gives the same weights, and the record says from what."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mgld.files import sha256_file
from mgld.vision import load_encoder

ROOT = Path(__file__).resolve().parents[2]


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
