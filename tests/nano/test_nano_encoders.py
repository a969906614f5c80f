"""The swap control's encoder: recorded beside the runs, measured again only where it is another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import write_all

from benchmarks.nano import measure_encoder
from benchmarks.nano.encoders import SECOND_FILE, encoder_of, read_second_encoder
from benchmarks.nano.place import Place
from benchmarks.nano.report.write import write_report


def _trained(place: Place, weights: str) -> Path:
    """A folder as `train_encoder` leaves it, without weights."""
    folder = place.own / "encoder"
    folder.mkdir(parents=True, exist_ok=True)
    training = {
        "views": 11978, "landmarks": 779, "minutes": 22.9, "date": "2026-11-30",
        "weights_sha256": weights,
    }  # fmt: skip
    (folder / "training.json").write_text(json.dumps(training))
    return folder


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Arguments of each measurement, which are fast here."""
    calls: list[tuple[Any, ...]] = []

    def measure(*args: Any) -> dict[str, Any]:
        calls.append(args)
        return {"top1_of_500": {"never": 0.004, "often": 0.93}}

    monkeypatch.setattr(measure_encoder, "measure", measure)
    return calls


def test_the_second_encoder_is_recorded_and_shown(
    tmp_path: Path, measured: list[tuple[Any, ...]]
) -> None:
    place, results = Place(tmp_path / "nano", "east"), tmp_path / "results"
    folder = _trained(place, "a" * 64)
    said: list[str] = []
    for _ in range(2):
        assert encoder_of(place, results, note=said.append) == str(folder)
    assert measured == [(folder, "east", 2400)]
    assert (read_second_encoder(results) or {})["training"]["weights_sha256"] == "a" * 64

    _trained(place, "b" * 64)
    encoder_of(place, results, note=said.append)
    assert len(measured) == len(said) == 2
    assert (read_second_encoder(results) or {})["training"]["weights_sha256"] == "b" * 64

    write_all(results, {"table1_hds_50k": 0.2}, seeds=range(1))
    write_report(results, tmp_path / "RESULTS.md", remarks=tmp_path / "none.yaml")
    page = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "11,978 views of 779 eastern landmarks, 23 minutes" in page
    assert "first for 93 % of the landmarks" in page and "0.4 % of those it was never" in page
    assert f"(results/{SECOND_FILE})" in page


def test_the_first_one_is_shipped(tmp_path: Path, measured: list[tuple[Any, ...]]) -> None:
    assert encoder_of(Place(tmp_path), tmp_path / "results", note=print) == "nano"
    assert not measured and read_second_encoder(tmp_path / "results") is None
