"""Which rows are made, and which are recorded already."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from made_up_runs import levels, record

import benchmarks.nano.run as run_module
from benchmarks.nano.bindings import RowBindings
from benchmarks.nano.making import train_one
from benchmarks.nano.place import BINDING_FILE, STAGES, Place, claim
from benchmarks.nano.plan import BASELINE, Row, rows
from benchmarks.nano.record import RunRecord, write_record
from benchmarks.nano.run import Job, run_jobs
from eeca_ref.training.origins import fingerprint

ROWS = (BASELINE, "table1_hds_25k", "table1_brs_25k")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the rows that are made; a baseline gets other weights than it had."""
    names: list[str] = []

    def pretend(
        place: Place, row: Row, seed: int, *, bindings: RowBindings, device: str | None
    ) -> RunRecord:
        names.append(row.name)
        return _record(row.name, weights="new")

    class Here:
        """An executor that runs at once, in this process."""

        def __init__(self, *args: object, **kwargs: object) -> None: ...

        def __enter__(self) -> Here:
            return self

        def __exit__(self, *args: object) -> None: ...

        def submit(
            self, call: Callable[..., RunRecord], *args: object, **kwargs: object
        ) -> Future[RunRecord]:
            done: Future[RunRecord] = Future()
            done.set_result(call(*args, **kwargs))
            return done

    monkeypatch.setattr(run_module, "make_data", lambda *args, **kwargs: None)
    questions = type("Asked", (), {"sha256": {"west": "0" * 64}})
    monkeypatch.setattr(run_module, "_questions", lambda *args: questions)
    bound = RowBindings("b" * 64, "b" * 64, "b" * 64, "0" * 64)
    monkeypatch.setattr(run_module, "row_bindings", lambda *args: bound)
    monkeypatch.setattr(run_module, "_one", pretend)
    monkeypatch.setattr(run_module, "ProcessPoolExecutor", Here)
    return names


def _record(name: str, weights: str) -> RunRecord:
    given = record(name, 0, levels(0.2, seed=0, name=name))
    start = {"models": {"start": {"fingerprint": weights}}}
    return given.model_copy(update={"model": weights, "manifest": start})


def _run(tmp_path: Path) -> None:
    every = {row.name: row for row in rows()}
    jobs = [Job("west", 0, every[name]) for name in ROWS]
    run_jobs(tmp_path / "out", jobs, results=tmp_path)


def test_what_is_recorded_is_not_made_again(tmp_path: Path, made: list[str]) -> None:
    for name in ROWS:
        write_record(_record(name, "old"), tmp_path)
    _run(tmp_path)
    assert made == []


def test_a_baseline_made_elsewhere_takes_its_rows_with_it(tmp_path: Path, made: list[str]) -> None:
    # Recorded on another machine, whose weights are not here: one row is missing.
    for name in ROWS[:2]:
        write_record(_record(name, "old"), tmp_path)
    _run(tmp_path)
    assert made == list(ROWS)


def test_a_row_of_another_baseline_is_made_again(tmp_path: Path, made: list[str]) -> None:
    write_record(_record(BASELINE, "new"), tmp_path)
    write_record(_record(ROWS[1], "old"), tmp_path)
    write_record(_record(ROWS[2], "new"), tmp_path)
    folder = tmp_path / "out/seed0" / STAGES[-1]
    (folder / "model").mkdir(parents=True)
    (folder / BINDING_FILE).write_text("b" * 64)
    _run(tmp_path)
    assert made == [ROWS[1]]


def test_a_training_from_other_weights_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path)
    weights = place.run(0, STAGES[-1]) / "model"
    weights.mkdir(parents=True)
    (weights / "model.safetensors").write_bytes(b"of this machine")
    out = place.run(0, "row")
    monkeypatch.setattr("eeca_ref.training.run.train", lambda recipe, out: None)
    for began, kept in ((fingerprint(weights), True), ("of another", False)):
        claim(out, "b")
        manifest = {"models": {"start": {"fingerprint": began}}}
        (out / "manifest.json").write_text(json.dumps(manifest))
        train_one(place, 0, "row", "nano/table1_hds_25k", "b")
        assert (out / "manifest.json").is_file() is kept
        assert place.holds(0, "row", "b") is False  # no model came of it
