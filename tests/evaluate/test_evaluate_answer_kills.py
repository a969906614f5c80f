"""Fifty kills of each kind of model; minutes."""

from __future__ import annotations

from pathlib import Path

import pytest
from answer_kills import measure


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_kills_lose_no_draw_and_make_none_twice(tmp_path: Path) -> None:
    for found in measure(tmp_path):
        assert (found["kills"], found["lost"], found["twice"]) == (50, 0, 0)
        assert found["kills_with_some_answers_there"] >= 10
        # The endpoint of the tests answers equal requests alike, a local model's draws are keyed.
        assert found["different_from_a_run_that_was_not_killed"] == 0
