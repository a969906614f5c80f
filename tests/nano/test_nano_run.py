"""The miniature itself, smaller still: from a world to recorded rows, and from a kill on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.nano.record import RunRecord, read_probes, read_questions, read_records
from benchmarks.nano.validating import read_validation

SMALL = """
import sys
from pathlib import Path
from benchmarks.nano import data
data.LANDMARKS, data.TEST, data.SIZES = 900, 200, (300,)
from benchmarks.nano.place import Place
from benchmarks.nano.plan import rows
from benchmarks.nano.probing import probe_row
from benchmarks.nano.run import Job, run_jobs
from benchmarks.nano.validating import validate
if __name__ == "__main__":
    every = {row.name: row for row in rows()}
    names = ("baseline", "table1_hds_25k", "rules_entropy_25k")
    jobs = [Job("west", 0, every[name]) for name in names]
    run_jobs(Path("out/nano"), jobs, results=Path("results"))
    place = Place(Path("out/nano"))
    probe_row(place, every["baseline"], 0, device="cpu", results=Path("results"))
    validate(place, every["baseline"], 0, [], device="cpu", results=Path("results"))
"""


def _start(folder: Path) -> subprocess.Popen[str]:
    (folder / "small.py").write_text(SMALL)
    return subprocess.Popen(
        [sys.executable, "small.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _to_the_end(folder: Path) -> str:
    process = _start(folder)
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return said


def _numbers(record: RunRecord) -> tuple[str, str, str]:
    return record.binding, record.levels, record.said


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_rows_are_made_recorded_resumed_and_the_same_again(tmp_path: Path) -> None:
    # Killed in the middle of stage 2, with its workers: the same call goes on.
    process = _start(tmp_path)
    log = tmp_path / "out/nano/seed0/stage2_instruct/log.jsonl"
    while process.poll() is None and not (log.is_file() and log.read_text().count("\n") > 20):
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not list(tmp_path.glob("results/*-seed*"))
    said = _to_the_end(tmp_path)
    assert "3 rows, 0 of them recorded" in said

    records = {record.row: record for record in read_records(tmp_path / "results")}
    questions = read_questions(tmp_path / "results")
    marks = questions.landmarks["west"]
    assert len(marks) == 100 and {mark.half for mark in marks} == {"west", "east"}
    for record in records.values():
        assert len(record.levels) == len(record.said) == 100
        assert "-" not in record.levels
        # A level says how many draws identify the landmark.
        for level, draws in zip(record.levels, record.said, strict=True):
            assert (level == "S") == (int(draws) >= 2) and (level == "K") == (draws == "1")
        assert record.machine.threads == 1 and record.seconds["train"] > 0
    assert records["table1_hds_25k"].subset == "hds300"
    assert records["table1_hds_25k"].manifest["data"]["rows"] == 300
    other = records["rules_entropy_25k"]
    assert other.subset == "entropy300" and other.manifest["data"]["rows"] == 300
    source = other.manifest["recipe"]["data"]["source"]
    assert (source["source"], source["config"]) == ("out/nano/rules", "entropy300")
    trained_on = {row: record.manifest["data"]["source"] for row, record in records.items()}
    assert len(set(trained_on.values())) == 3
    start = records["table1_hds_25k"].manifest["models"]["start"]["fingerprint"]
    assert start is not None

    assert "3 rows, 3 of them recorded" in _to_the_end(tmp_path)
    (probe,) = read_probes(tmp_path / "results")
    asked = {table.subset: table.questions for table in probe.result.tables}
    assert asked["test_paper"] == 100 and 0 < asked["VE-Known"] + asked["VE-Unknown"] <= 100
    assert probe.model == records["baseline"].model
    (tried,) = read_validation(tmp_path / "results", questions)
    assert len(tried.levels) == 100 and "-" not in tried.levels

    # From nothing but world, build and parts, and without a kill: the same numbers.
    for path in tmp_path.glob("out/nano/seed0"):
        path.rename(tmp_path / "before")
    for path in tmp_path.glob("results/*-seed*"):
        path.unlink()
    _to_the_end(tmp_path)
    again = {record.row: record for record in read_records(tmp_path / "results")}
    assert {row: _numbers(record) for row, record in again.items()} == {
        row: _numbers(record) for row, record in records.items()
    }
    then = json.loads((tmp_path / "before/table1_hds_25k/manifest.json").read_text())
    now = json.loads((tmp_path / "out/nano/seed0/table1_hds_25k/manifest.json").read_text())
    assert then["models"] == now["models"]
