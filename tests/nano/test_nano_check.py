"""`make nano`: a row made again is compared with the recorded one, landmark by landmark."""

from __future__ import annotations

from pathlib import Path

import pytest

import benchmarks.nano.check as check_module
from benchmarks.nano.check import ROWS, check, compare
from benchmarks.nano.record import Machine, RunRecord, read_records, write_record


def _record(row: str, levels: str, *, seed: int = 0) -> RunRecord:
    return RunRecord(
        row=row,
        stands_for=[row],
        seed=seed,
        subset=None,
        levels=levels,
        said="".join("5" if each in "SK" else "0" for each in levels),
        exact="0" * len(levels),
        questions_sha256="q",
        binding="b",
        model="m",
        seconds={"train": 1.0},
        machine=Machine(
            architecture="x86_64", device="cpu", threads=1, date="2026-11-30", versions={}
        ),
        manifest={},
    )


def test_the_same_levels_agree_and_are_counted() -> None:
    line, fits = compare(_record("a", "SKWU" * 25), _record("a", "SKWU" * 25))
    assert fits
    assert "50.00% recorded" in line and "100 of 100 levels are the same, and every" in line


def test_a_level_within_what_is_recognised_is_no_change_of_accuracy() -> None:
    other = _record("a", "K" * 50).model_copy(update={"said": "1" * 50})
    line, fits = compare(_record("a", "S" * 50), other)
    assert fits and "0 of 50 levels are the same" in line and "; p 1" in line
    assert "is this another one of its name?" in line
    gpu = other.machine.model_copy(update={"device": "NVIDIA H200"})
    line, fits = compare(_record("a", "S" * 50), other.model_copy(update={"machine": gpu}))
    assert fits and "another machine" in line and "of its name" not in line


def test_more_than_chance_is_told() -> None:
    # 8 landmarks lost and none won: by chance once in 128 times; 7: once in 64.
    assert not compare(_record("a", "K" * 40), _record("a", "U" * 8 + "K" * 32))[1]
    assert compare(_record("a", "K" * 40), _record("a", "U" * 7 + "K" * 33))[1]


def test_what_would_be_told_is_said() -> None:
    line, _ = compare(_record("a", "K" * 40), _record("a", "U" * 7 + "K" * 33))
    assert "would be told" not in line  # all 7: by chance once in 64 times
    line, _ = compare(_record("a", "K" * 40), _record("a", "U" * 8 + "K" * 32))
    assert line.endswith("(20.0% would be told from chance)")
    line, _ = compare(_record("a", "KU" * 20), _record("a", "UK" * 10 + "KU" * 10))
    assert line.endswith("(35.0% would be told from chance)")  # of 20 changes 14 more one way
    other = _record("a", "K" * 40).model_copy(update={"binding": "c"})
    assert "another build, parts or versions" in compare(_record("a", "K" * 40), other)[0]


def test_other_questions_do_not_compare() -> None:
    line, fits = compare(_record("a", "K" * 40), _record("a", "K" * 41))
    assert not fits and "40 landmarks" in line


@pytest.mark.parametrize("lacking", [None, ROWS[1]])
def test_every_row_must_be_recorded(
    tmp_path: Path,
    lacking: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ROWS:
        if name != lacking:
            write_record(_record(name, "KU" * 10), tmp_path)
        write_record(_record(name, "UU" * 10, seed=1), tmp_path)
    made = [_record(name, "KU" * 10) for name in ROWS]
    monkeypatch.setattr(check_module, "run_jobs", lambda *args, **kwargs: made)
    (tmp_path / "check" / "seed0").mkdir(parents=True)
    assert check(tmp_path, stored=tmp_path) is (lacking is None)
    # What agrees is removed, so that the next call begins anew; what does not is there to look at.
    assert (tmp_path / "check").exists() is (lacking is not None)
    said = capsys.readouterr().out
    assert said.count("20 of 20 levels are the same") == 3 - (lacking is not None)
    assert ("nothing to compare with" in said) is (lacking is not None)


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    for seed in (1, 0):
        for row in ("b", "a"):
            write_record(_record(row, "SKWU-", seed=seed), tmp_path)
    (tmp_path / "questions.json").write_text("{}")
    assert [(each.row, each.seed) for each in read_records(tmp_path)] == [
        ("a", 0),
        ("a", 1),
        ("b", 0),
        ("b", 1),
    ]
    (tmp_path / "west-seed2-c.json").write_text('{"row": 1}')
    with pytest.raises(ValueError, match="row"):
        read_records(tmp_path)


def test_time_spent_counts_what_an_earlier_process_did() -> None:
    steps = {"totals": {"seconds": 100.0}}
    given = _record("baseline", "KU").model_copy(
        update={"manifest": steps, "earlier": steps, "seconds": {"train": 0.1, "answer": 20.0}}
    )
    assert given.spent == 220
    assert given.model_copy(update={"row": "baseline+entities"}).spent == 20
