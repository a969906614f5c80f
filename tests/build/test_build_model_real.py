"""The real photographs annotated by a model, the build killed seven times on the way."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest
from model_build_kills import KILL_AT, PHOTOGRAPHS, build_killed

import mgld


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="../shared/data/gldv2-wa is not here")
def test_a_dataset_of_real_photographs_is_annotated_although_killed(tmp_path: Path) -> None:
    found = build_killed(tmp_path / "build")
    assert len(found["killed_at_replies"]) == len(KILL_AT)
    assert found["complete"]
    assert found["balanced"]
    assert found["qa"] == {"ok": 239}
    assert sum(found["entities"].values()) == 239
    assert found["requests"] == 478
    # Paid again: only what was in flight at a kill, or lost on the way, as the ledger says.
    assert found["billed"] - found["requests"] <= found["lost_attempts"]
    assert found["lost_attempts"] <= 8 * len(KILL_AT) + found["faults"].get("cut", 0)
    assert found["asked_by_a_last_run"] == 0
    assert found["reserved_usd"] == 0
    full = mgld.load(tmp_path / "build")
    assert isinstance(full, datasets.DatasetDict)
    row = full["train"][0]
    assert row["annotator"] == "gpt-4.1-mini-2025-04-14"
    assert row["entities"]
