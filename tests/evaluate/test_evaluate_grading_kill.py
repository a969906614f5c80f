"""Grading that is killed: no verdict is lost or twice, only what was in flight is paid again."""

from __future__ import annotations

from pathlib import Path

import pytest
from grading_kills import CONCURRENCY, KILLS, MODEL, kill_run


@pytest.mark.parametrize("kills", [2, pytest.param(KILLS, marks=pytest.mark.slow)])
@pytest.mark.parametrize("spec", [MODEL, "rule"])
def test_kills(tmp_path: Path, spec: str, kills: int) -> None:
    found = kill_run(tmp_path, spec, kills, seed=kills)
    assert found["verdicts"] == found["questions"]
    assert found["lost"] == 0 and found["different_from_peace"] == 0
    assert found["kills_with_some_verdicts_written"] > 0
    if spec == MODEL:
        assert max(found["in_flight_at_the_kills"]) <= CONCURRENCY
        assert found["lost_attempts"] == sum(found["in_flight_at_the_kills"])
        assert found["billed_again"] <= found["lost_attempts"]
        assert found["reserved_left"] == 0
