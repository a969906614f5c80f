"""An online run that is killed loses nothing and pays again for what was in flight at most."""

from __future__ import annotations

from pathlib import Path

import pytest
from online_kills import CONCURRENCY, KILLS, kill_run


@pytest.mark.parametrize("kills", [4, pytest.param(KILLS, marks=pytest.mark.slow)])
def test_kills(tmp_path: Path, kills: int) -> None:
    found = kill_run(tmp_path, kills, seed=kills)
    assert found["answered"] == found["requests"]
    assert found["different"] == 0
    # Each kill loses what was in flight at most, each of it an intent in the ledger.
    assert max(found["in_flight_at_the_kills"]) <= CONCURRENCY
    assert found["lost_attempts"] == sum(found["in_flight_at_the_kills"])
    assert found["unexplained"] == 0
    assert 0 < found["billed_again"] <= found["lost_attempts"]
    # And it is charged: what the endpoint billed in all is within what the ledger says.
    assert found["reserved_left"] == 0
    assert found["charged_usd"] >= found["billed_usd_at_most"]
