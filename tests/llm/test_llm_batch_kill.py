"""A batch run that is killed pays for nothing twice and loses nothing; see `batch_kills`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from batch_kills import REQUESTS, kill_run


def check(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    found = kill_run(folder, kills, seed)
    assert found["kills"] > 0
    assert found["billed"] == REQUESTS
    assert (found["billed_twice"], found["lost"], found["different"]) == (0, 0, 0)
    assert not list(folder.glob("*.jsonl*"))
    return found


def test_a_few_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")  # is set for the run, and then again as it was
    check(tmp_path, kills=2, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_fifty_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    found = check(tmp_path, kills=12, seed=seed)
    # Kills while nothing was under way would show nothing.
    assert found["kills_with_batches"]
