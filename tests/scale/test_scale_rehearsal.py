"""The rehearsal in small: generated tables and vectors, and every stage's own code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.scale import rehearsal
from benchmarks.scale.measure import Cost, measured
from benchmarks.scale.scores import score_some
from benchmarks.scale.source import counts, image_ids, name_of
from benchmarks.scale.vectors import image_schema
from mgld.build import BuildView, build_status, verify_build
from mgld.build.stages.image_vectors import _schema
from mgld.cli import main

IMAGES, LANDMARKS = 3000, 200


def here(command: list[str]) -> Cost:
    """Run a stage in this process, as importing everything again would take most of the time."""
    if command[1] == "-c":
        done = CliRunner().invoke(main, command[3:])
        assert done.exit_code == 0, done.output
    else:
        score_some(Path(command[3]), int(command[4]), int(command[5]))
    return Cost(1.0, 1.0, 100.0)


def test_every_stage_from_tables_to_dataset(tmp_path: Path) -> None:
    said: list[str] = []
    settings = {"images": IMAGES, "landmarks": LANDMARKS, "dim": 32, "chunk": 64, "workers": 1}
    found = rehearsal.rehearse(
        tmp_path / "out", **settings, score_chunks=2, measure=here, tell=said.append
    )
    assert tuple(found) == rehearsal.STAGES
    assert len(said) == len(found)
    assert found["scores"] | {"chunks": 2, "of": 4, "extrapolated_seconds": 2.0} == found["scores"]
    root = tmp_path / "out" / "build"
    status = build_status(root)
    assert status.complete
    assert all(balance.balanced for balance in status.balances)
    assert verify_build(root).ok
    view = BuildView(root)
    assert len(view.table("catalog", "images", ["image_id"])) == IMAGES
    assert len(view.table("catalog", "rejects")) == 1
    assert set(view.table("scores", "part", ["status"])["status"].to_pylist()) == {"ok"}

    before = view.manifest
    again = ("selection", "splits")
    rehearsal.rehearse(tmp_path / "out", **settings, stages=again, measure=here, tell=said.append)
    assert BuildView(root).manifest == before  # a stage that is measured again makes the same

    with pytest.raises(ValueError, match="3000 images of 200 landmarks: give another --out"):
        rehearsal.rehearse(tmp_path / "out", **{**settings, "images": 10}, measure=here)

    printed = rehearsal.table(found)
    assert "| catalog | 1 | 1 | 0.1 GB | met |" in printed
    assert "| scores | 1 for 2 of 4 chunks (all: 0 min) |" in printed


def test_goals_are_not_met_by_what_takes_longer_or_more() -> None:
    def line(seconds: float, peak_mb: float) -> str:
        cost = Cost(seconds, 1.0, peak_mb).as_dict()
        return rehearsal.table({"catalog": cost}).splitlines()[-1]

    assert line(119, 3999).endswith("| met |")
    assert line(121, 3999).endswith("| not met |")
    assert line(119, 4001).endswith("| not met |")


def test_the_tail_is_long_and_adds_up() -> None:
    tail = counts(4_132_914, 203_094)
    assert tail.sum() == 4_132_914
    assert tail.min() == 1
    assert (tail <= 10).mean() > 0.5  # GLDv2: 57 % of the landmarks have at most ten images
    assert tail.max() > 1000
    assert len(set(image_ids(0, 20_000))) == 20_000
    names = {name_of(landmark) for landmark in range(5000)}
    assert len(names) == 4900


def test_vectors_lie_in_the_table_that_the_stage_writes() -> None:
    assert image_schema(24) == _schema(24)


def test_memory_and_time_of_a_command_and_its_children() -> None:
    child = "import time; x = bytearray(80_000_000); time.sleep(0.6)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    cost = measured([sys.executable, "-c", parent])
    assert 80 < cost.peak_mb < 400
    assert cost.seconds > 0.6
    assert 0 < cost.cpu_seconds < cost.seconds
    with pytest.raises(RuntimeError, match="ended with 3:\nno"):
        measured([sys.executable, "-c", "print('no'); raise SystemExit(3)"])
