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
import torch
from click.testing import CliRunner
from datasets import Dataset, Features, List, Value
from filelock import FileLock
from killed_score import BLOCK
from scoring_folders import NAMES, STATED, ColourEncoder, unit

from mgld.cli import main
from mgld.scoring import rescore, score_folder, vector_source
from mgld.scoring.name_index import NameIndex, write_index
from mgld.scoring.rescore import rescore as score
from mgld.vision import prepare

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


def rewrite_card(dataset, old, new):
    card = dataset / "README.md"
    text = card.read_text()
    assert old in text
    card.write_text(text.replace(old, new))


def another_name(dataset):
    names = [{"name": n, "landmark_ids": [0]} for n in (*NAMES[:5], "Other", NAMES[5])]
    features = Features({"name": Value("string"), "landmark_ids": List(Value("int64"))})
    Dataset.from_list(names, features=features).to_parquet(dataset / "names" / "train.parquet")
    # `datasets` reads a config anew where the card says something else of it.
    rewrite_card(dataset, "name: names\n", "name: names\n  description: seven\n")


CHANGES = {  # key of run.json -> what changes it, and nothing else
    "batch": lambda patch, dataset: patch.setattr(vector_source, "IMAGES_PER_BATCH", 32),
    "block": lambda patch, dataset: patch.setattr(rescore, "BLOCK_RECORDS", 5),
    "device": lambda patch, dataset: patch.setattr(ColourEncoder, "device", "cuda"),
    "dtype": lambda patch, dataset: patch.setattr(ColourEncoder, "dtype", "bfloat16"),
    "encoder": lambda patch, dataset: patch.setattr(ColourEncoder, "fingerprint", "sha256:other"),
    "format": lambda patch, dataset: patch.setattr(score_folder, "_FORMAT", 0),
    "images": lambda patch, dataset: rewrite_card(dataset, STATED, 64 * "b"),
    "names": lambda patch, dataset: another_name(dataset),
    "nearest": lambda patch, dataset: patch.setattr(rescore, "_NEAREST", 3),
    "pixels": lambda patch, dataset: patch.setattr(prepare, "PIXELS", "uint8-0"),
    "records": lambda patch, dataset: {"split": "test"},
    "template": lambda patch, dataset: {"template": "negative of {name}"},
    "threads": lambda patch, dataset: torch.set_num_threads(torch.get_num_threads() + 1),
}


@pytest.mark.usefixtures("colour_encoder")
@pytest.mark.parametrize("key", sorted(CHANGES))
def test_a_run_that_differs_in_anything_is_refused(dataset_folder, tmp_path, monkeypatch, key):
    """And in each thing by itself: a binding that lacked it would let the run go on."""
    arguments = {"encoder": "any", "folder": tmp_path / "scores"}
    threads = torch.get_num_threads()
    try:
        score(dataset_folder, **arguments)
        run = json.loads((tmp_path / "scores" / "run.json").read_text())
        assert run.keys() == CHANGES.keys()
        arguments |= CHANGES[key](monkeypatch, dataset_folder) or {}
        with pytest.raises(ValueError, match=rf"another run \(other {key}\)"):
            score(dataset_folder, **arguments)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.usefixtures("colour_encoder")
def test_images_that_nothing_stands_for_are_not_gone_on_with(dataset_folder, tmp_path):
    rewrite_card(dataset_folder, f"Content sha256:{STATED}", "Twelve")
    with pytest.raises(ValueError, match=r"states no content hash.* leave out the folder"):
        score(dataset_folder, encoder="any", folder=tmp_path / "scores")
    assert not (tmp_path / "scores").exists()
    assert score(dataset_folder, encoder="any").summary["scored"] == 11


def test_a_kill_while_the_run_is_written_down(dataset_folder, embeddings, tmp_path):
    folder = tmp_path / "scores"
    folder.mkdir()
    (folder / ".lock").touch()
    (folder / ".run.json.99.tmp").write_text('{"form')
    score(dataset_folder, embeddings=embeddings, folder=folder)
    assert sorted(content(folder)) == ["index.faiss", "index.parquet", PARTS[0], "run.json"]


def test_a_folder_that_another_process_fills_is_no_foreign_one(
    dataset_folder, embeddings, tmp_path
):
    folder = tmp_path / "scores"
    folder.mkdir()
    (folder / PARTS[0]).touch()
    with (
        FileLock(folder / ".lock"),
        pytest.raises(ValueError, match="another process is writing scores"),
    ):
        score(dataset_folder, embeddings=embeddings, folder=folder)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ValueError, match="is no folder of scores"):
        score(dataset_folder, embeddings=embeddings, folder=file)


def cut(path):
    path.write_bytes(path.read_bytes()[:200])


def flip_a_vector(path):
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)


def damage_pages(path):
    """Of a file whose footer can be read."""
    data = path.read_bytes()
    path.write_bytes(data[:4] + b"\xff" * 60 + data[64:])


def of_another_run(path):
    index = NameIndex(path.parent)
    write_index(path.parent, index.names, index.vectors()[::-1], index.made_by, run="other")


@pytest.mark.parametrize("gone_on_with", [True, False])
@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("index.faiss", cut),
        ("index.faiss", flip_a_vector),
        ("index.parquet", cut),
        ("index.parquet", damage_pages),
        ("index.parquet", of_another_run),
    ],
)
def test_a_damaged_index_is_made_again(
    dataset_folder, embeddings, small_blocks, tmp_path, file, damage, gone_on_with
):
    folder = tmp_path / "scores"
    score(dataset_folder, embeddings=embeddings, folder=folder)
    whole = content(folder)
    damage(folder / file)
    if gone_on_with:
        (folder / PARTS[1]).unlink()
    small_blocks.clear()
    score(dataset_folder, embeddings=embeddings, folder=folder)
    assert small_blocks == ([(3, 6)] if gone_on_with else [])
    assert content(folder) == whole


@pytest.mark.usefixtures("small_blocks")
def test_a_part_with_a_damaged_footer_is_made_again(dataset_folder, embeddings, tmp_path):
    folder = tmp_path / "scores"
    score(dataset_folder, embeddings=embeddings, folder=folder)
    whole = content(folder)
    data = whole[PARTS[1]]
    length = int.from_bytes(data[-8:-4], "little")
    part = folder / PARTS[1]
    part.write_bytes(data[: -8 - length] + b"\xff" * length + data[-8:])
    with pytest.raises(OSError, match="thrift"), part.open("rb") as handle:
        pq.ParquetFile(handle)
    score(dataset_folder, embeddings=embeddings, folder=folder)
    assert content(folder) == whole


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
