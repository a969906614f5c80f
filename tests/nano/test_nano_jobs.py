"""Which rows are made, and which are recorded already."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import LANDMARKS, landmark, levels, record

import benchmarks.nano.run as run_module
from benchmarks.nano.bindings import RowBindings
from benchmarks.nano.making import train_one
from benchmarks.nano.place import BINDING_FILE, STAGES, Place, alone, claim
from benchmarks.nano.plan import BASELINE, Row, rows
from benchmarks.nano.record import (
    QUESTIONS_FILE,
    Questions,
    RunRecord,
    read_questions,
    read_records,
    write_record,
)
from benchmarks.nano.run import Job, run_jobs
from eeca_ref.training.origins import fingerprint

ROWS = (BASELINE, "table1_hds_25k", "table1_brs_25k")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the rows that are made; a baseline gets other weights than it had."""
    names: list[str] = []
    monkeypatch.setattr(run_module, "_one", partial(_pretend, names))

    class Here:
        """An executor that runs at once, in this process."""

        def __init__(self, *args: object, **kwargs: object) -> None: ...

        def __enter__(self) -> Here:
            return self

        def __exit__(self, *args: object) -> None: ...

        def shutdown(self, **kwargs: object) -> None: ...

        def submit(self, call: Callable[[], RunRecord]) -> Future[RunRecord]:
            done: Future[RunRecord] = Future()
            try:
                done.set_result(call())
            except ValueError as error:
                done.set_exception(error)
            return done

    monkeypatch.setattr(run_module, "make_data", lambda *args, **kwargs: None)
    monkeypatch.setattr(run_module, "questions_of", lambda places: _questions("0" * 64))
    bound = RowBindings("b" * 64, "b" * 64, "b" * 64, "0" * 64)
    monkeypatch.setattr(run_module, "row_bindings", lambda *args: bound)
    monkeypatch.setattr(run_module, "ProcessPoolExecutor", Here)
    return names


def _pretend(
    names: list[str], place: Place, row: Row, seed: int, *, bindings: RowBindings,
    device: str | None,
) -> RunRecord:  # fmt: skip
    names.append(row.name)
    return _record(row.name, weights="new")


def _questions(sha256: str) -> Questions:
    marks = [landmark(number, "west") for number in range(LANDMARKS)]
    return Questions(sha256={"west": sha256}, names=LANDMARKS, landmarks={"west": marks})


def _lies_here(place: Place, weights: bytes) -> str:
    """A finished baseline with these weights; their fingerprint."""
    folder = place.run(0, STAGES[-1])
    (folder / "model").mkdir(parents=True, exist_ok=True)
    (folder / "model" / "model.safetensors").write_bytes(weights)
    (folder / BINDING_FILE).write_text("b" * 64)
    return fingerprint(folder / "model")


def _record(name: str, weights: str) -> RunRecord:
    given = record(name, 0, levels(0.2, seed=0, name=name))
    start = {"models": {"start": {"fingerprint": weights}}}
    return given.model_copy(update={"model": weights, "manifest": start})


def _run(tmp_path: Path, names: Sequence[str] = ROWS) -> None:
    every = {row.name: row for row in rows()}
    jobs = [Job("west", 0, every[name]) for name in names]
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
    here = _lies_here(Place(tmp_path / "out"), b"of this machine")
    write_record(_record(BASELINE, here), tmp_path)
    write_record(_record(ROWS[1], "old"), tmp_path)
    write_record(_record(ROWS[2], here), tmp_path)
    _run(tmp_path)
    assert made == [ROWS[1]]


def test_a_row_does_not_begin_from_another_baseline_than_the_recorded_one(
    tmp_path: Path, made: list[str]
) -> None:
    # Records of another machine, and this one's own baseline of the same settings: a row of it
    # would never fit them.
    _lies_here(Place(tmp_path / "out"), b"of this machine")
    for name in ROWS[:2]:
        write_record(_record(name, "old"), tmp_path)
    _run(tmp_path)
    assert made == list(ROWS)


def test_rows_that_would_be_left_without_their_baseline_are_kept(
    tmp_path: Path, made: list[str]
) -> None:
    for name in ROWS[:2]:
        write_record(_record(name, "old"), tmp_path)
    with pytest.raises(RuntimeError, match=r"another than 1 recorded rows .*table1_hds_25k"):
        _run(tmp_path, (BASELINE, ROWS[2]))
    assert {each.model for each in read_records(tmp_path)} == {"old"}
    assert made == [BASELINE]


def test_rows_that_were_asked_other_questions_are_kept(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _run(tmp_path)
    before = (tmp_path / QUESTIONS_FILE).read_bytes()
    monkeypatch.setattr(run_module, "questions_of", lambda places: _questions("1" * 64))
    with pytest.raises(RuntimeError, match="the test set is another here than 1 recorded"):
        _run(tmp_path, ROWS[:2])
    assert (tmp_path / QUESTIONS_FILE).read_bytes() == before
    _run(tmp_path)
    assert read_questions(tmp_path).sha256 == {"west": "1" * 64}


def test_what_is_bound_to_something_else_is_made_again(tmp_path: Path, made: list[str]) -> None:
    here = _lies_here(Place(tmp_path / "out"), b"of this machine")
    for name in ROWS:
        given = _record(name, here)
        other = given.model_copy(update={"binding": "c" * 64}) if name == ROWS[1] else given
        write_record(other, tmp_path)
    _run(tmp_path)
    assert made == [ROWS[1]]


def test_one_row_fails_and_the_others_are_made(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(place: Place, row: Row, *args: Any, **kwargs: Any) -> RunRecord:
        if row.name == ROWS[1]:
            raise ValueError("nothing to train on")
        return _pretend(made, place, row, *args, **kwargs)

    monkeypatch.setattr(run_module, "_one", fail)
    with pytest.raises(RuntimeError, match=r"table1_hds_25k, seed 0: ValueError: nothing to"):
        _run(tmp_path)
    assert made == [BASELINE, ROWS[2]]
    assert len(read_records(tmp_path)) == 2


def test_two_do_not_work_in_one_folder(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with alone(run), alone(tmp_path / "other"), pytest.raises(RuntimeError, match="works in"):
        alone(run).__enter__()
    with alone(run):
        pass


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
