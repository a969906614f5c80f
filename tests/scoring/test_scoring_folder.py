"""Scores written block by block: killed, gone on with, refused."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from killed_score import BLOCK
from scoring_folders import NAMES, unit

from mgld.cli import main
from mgld.scoring import rescore, vector_source
from mgld.scoring.rescore import rescore as score

PARTS = [f"part-{number:05d}.parquet" for number in range(4)]


@pytest.fixture
def embeddings(tmp_path):
    path = tmp_path / "vectors.npz"
    rng = np.random.default_rng(0)
    write_embeddings(path, rng)
    return path


def write_embeddings(path, rng):
    np.savez(
        path,
        image_ids=np.array([f"image-{i}" for i in reversed(range(13))]),
        images=unit(rng.normal(size=(13, 5))),
        name_strings=np.array(NAMES[::-1]),
        names=unit(rng.normal(size=(6, 5))),
    )


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of three records; the rows that were scored since, block by block."""
    seen = []
    images = vector_source.GivenVectors.images

    def watched(self, start, stop, rows):
        seen.append((start, stop))
        return images(self, start, stop, rows)

    monkeypatch.setattr(rescore, "BLOCK_RECORDS", BLOCK)
    monkeypatch.setattr(vector_source.GivenVectors, "images", watched)
    return seen


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def test_a_killed_run_goes_on_at_the_next_block(dataset_folder, embeddings, small_blocks, tmp_path):
    whole = score(dataset_folder, embeddings=embeddings, folder=tmp_path / "whole")
    assert small_blocks == [(0, 3), (3, 6), (6, 9), (9, 12)]
    assert sorted(content(tmp_path / "whole")) == [
        "index.faiss",
        "index.parquet",
        *PARTS,
        "run.json",
    ]

    folder = tmp_path / "killed"
    here = Path(__file__).parent
    process = subprocess.Popen(
        [sys.executable, here / "killed_score.py", "6", dataset_folder, embeddings, folder],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(here), *sys.path])},
    )
    end = time.monotonic() + 120
    while not (folder / PARTS[1]).is_file():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    (folder / ".part-00002.parquet.99.tmp").write_bytes(b"what a kill can leave")
    with pytest.raises(ValueError, match="another process is writing scores"):
        score(dataset_folder, embeddings=embeddings, folder=folder)
    process.kill()
    process.wait()
    small_blocks.clear()
    resumed = score(dataset_folder, embeddings=embeddings, folder=folder)
    assert small_blocks == [(6, 9), (9, 12)]
    assert content(folder) == content(tmp_path / "whole")
    assert resumed.table.equals(whole.table)
    assert resumed.summary == whole.summary

    small_blocks.clear()
    assert score(dataset_folder, embeddings=embeddings, folder=folder).table.equals(whole.table)
    assert small_blocks == []
    (folder / PARTS[3]).write_bytes(b"PAR1 cut")
    score(dataset_folder, embeddings=embeddings, folder=folder)
    assert small_blocks == [(9, 12)]
    assert content(folder) == content(tmp_path / "whole")


def test_blocks_change_no_number(dataset_folder, embeddings, small_blocks, monkeypatch):
    in_blocks = score(dataset_folder, embeddings=embeddings)
    monkeypatch.setattr(rescore, "BLOCK_RECORDS", 100)
    assert score(dataset_folder, embeddings=embeddings).table.equals(in_blocks.table)
    assert small_blocks[-1] == (0, 12)


@pytest.mark.usefixtures("small_blocks")
def test_a_folder_of_something_else_is_refused(dataset_folder, embeddings, tmp_path):
    folder = tmp_path / "scores"
    score(dataset_folder, embeddings=embeddings, folder=folder)
    with pytest.raises(ValueError, match=r"another run \(other records\)"):
        score(dataset_folder, embeddings=embeddings, folder=folder, split="test")
    write_embeddings(embeddings, np.random.default_rng(1))
    with pytest.raises(ValueError, match=r"another run \(other embeddings\)"):
        score(dataset_folder, embeddings=embeddings, folder=folder)
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="is no folder of scores"):
        score(dataset_folder, embeddings=embeddings, folder=other)
    assert [path.name for path in other.iterdir()] == ["notes.txt"]


def test_compressed_embeddings_give_the_same(dataset_folder, embeddings, tmp_path):
    stored = dict(np.load(embeddings))
    packed = tmp_path / "packed.npz"
    np.savez_compressed(packed, **stored)
    assert score(dataset_folder, embeddings=packed).table.equals(
        score(dataset_folder, embeddings=embeddings).table
    )


@pytest.mark.usefixtures("colour_encoder")
def test_the_command_writes_a_folder_and_goes_on(dataset_folder, tmp_path):
    arguments = ["score", str(dataset_folder), "--encoder", "any", "--out", str(tmp_path / "out")]
    for progress in ("records: 12 of 12", ""):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        assert progress in result.stderr
        assert f"written to {tmp_path / 'out'}" in result.stdout
    assert "records" not in result.stderr  # nothing was left to do
    rows = pq.read_table(tmp_path / "out" / "part-00000.parquet").to_pylist()
    assert len(rows) == 12
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["encoder"] == "sha256:colour"
