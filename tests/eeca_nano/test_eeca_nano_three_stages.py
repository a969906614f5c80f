"""`make nano`, whole: a world, a build, three stages with DeepSpeed, answers, grades, probe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.nano.three_stages import OUT, STAGES, commands, results, run


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_three_stages_end_in_a_graded_model(tmp_path: Path) -> None:
    run(tmp_path, commands())
    said = results(tmp_path)
    for stage in said["stages"].values():
        assert stage["last"]["lm_loss"] < 0.5 * stage["first"]["lm_loss"]
    eeca = said["stages"]["stage3_eeca"]
    assert eeca["last"]["hierarchical_loss"] < eeca["first"]["hierarchical_loss"]
    assert said["answers"] == {"ok": 300}
    levels = said["levels"]
    assert levels["total"] == levels["scored"] == 60
    # What it says of a landmark whose pictures it never saw is at times right about the place.
    assert levels["counts"]["unknown"] < 60
    assert (tmp_path / OUT / "answers/report.html").is_file()
    assert said["probe"]["tables"]

    # The same call finds everything done, and changes no model.
    models = [tmp_path / OUT / stage / "model/model.safetensors" for stage in STAGES]
    before = [path.stat().st_mtime_ns for path in models]
    logs = [(tmp_path / OUT / stage / "log.jsonl").read_bytes() for stage in STAGES]
    run(tmp_path, commands())
    assert [path.stat().st_mtime_ns for path in models] == before
    assert [(tmp_path / OUT / stage / "log.jsonl").read_bytes() for stage in STAGES] == logs
    assert results(tmp_path)["levels"]["counts"] == levels["counts"]
    assert json.loads((tmp_path / OUT / "parts/nano.json").read_text())["test_landmarks"] == 60
