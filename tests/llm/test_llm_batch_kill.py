"""Batches submitted, polled and collected by a process that is killed again and again."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from batch_case import KEY, make_requests
from openai_server import LoopbackServer, start_server

from mgld.llm import Ledger

REQUESTS = 120
WORKER = """
import sys
sys.path.insert(0, sys.argv[3])
from batch_case import make_requests
from mgld.llm import Ledger, LlmSettings, batch_book, batch_file, batch_join, batch_submit, limits
from mgld.llm.batch import run_batches
from mgld.llm.batch_endpoint import BatchEndpoint

batch_file.MAX_REQUESTS = 25
batch_book.CHANGES_PER_COMMIT = batch_join.CHANGES_PER_COMMIT = 10
batch_submit.GRACE_SECONDS, batch_submit.LIST_SECONDS = 0.6, 0.05
limits.FIRST_BACKOFF = 0.01
settings = LlmSettings(base_url=sys.argv[2], batch=True, max_usd=1.0)
with Ledger(sys.argv[1]) as ledger:
    print("begun", flush=True)
    run_batches(make_requests(int(sys.argv[4])), ledger, settings, poll_seconds=0.02)
print("done", flush=True)
"""
# 500s everywhere, before and after the fact; the list of batches lags behind.
FAULTS: dict[str, Any] = {
    "batch_polls": 0,
    "batch_seconds": 0.15,
    "list_lag": 0.3,
    "rules": [
        {"fault": "create_500", "share": 0.3},
        {"fault": "create_drop", "share": 0.1},
        {"fault": "status", "status": 500, "on": "batches", "ordinals": [1, 6, 11, 16]},
        {"fault": "status", "status": 500, "on": "files", "ordinals": [2, 7, 12]},
        {"fault": "status", "status": 500, "on": "batch", "ordinals": list(range(3, 999, 7))},
        {"fault": "status", "status": 500, "on": "batch_list", "ordinals": list(range(2, 999, 5))},
        {"fault": "cut", "on": "file_content", "ordinals": list(range(1, 999, 4))},
        {"fault": "line_error", "status": 500, "share": 0.1, "tries": 1},
        {"fault": "line_missing", "share": 0.05, "tries": 1},
        {"fault": "expired", "done": 0.5, "ordinals": [2]},
    ],
}


def start(ledger: Path, server: LoopbackServer) -> subprocess.Popen[str]:
    here = str(Path(__file__).parent)
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(ledger), server.url, here, str(REQUESTS)],
        stdout=subprocess.PIPE,
        text=True,
    )


def replies(ledger: Path) -> dict[str, tuple[int, Any]]:
    with Ledger(ledger) as opened:
        found = opened.replies(request.key for request in make_requests(REQUESTS))
        assert opened.money().reserved == 0
        assert opened.lost() == 0
    return {key: (reply.http_status, json.loads(reply.raw)) for key, reply in found.items()}


def kill_until_done(ledger: Path, server: LoopbackServer, kills: int, seed: int) -> int:
    """Kill runs at random moments, then let one finish; how many were killed."""
    draw = random.Random(seed)
    killed = 0
    while killed < kills:
        process = start(ledger, server)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(draw.uniform(0.0, 0.5))
        if process.poll() is None:
            process.kill()
            killed += 1
        elif process.returncode == 0:
            process.communicate()
            return killed
        process.communicate()
    process = start(ledger, server)
    assert process.communicate(timeout=120)[0].endswith("done\n")
    assert process.returncode == 0
    return killed


def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int, seed: int) -> dict[str, Any]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with start_server({**FAULTS, "seed": seed}) as server:
        killed = kill_until_done(tmp_path / "killed.sqlite", server, kills, seed)
        stats = server.stats()
    with start_server({"batch_polls": 0}) as server:
        kill_until_done(tmp_path / "whole.sqlite", server, 0, seed)
    billed = stats["custom_ids"]
    assert set(billed) == {request.key for request in make_requests(REQUESTS)}  # none lost
    twice = {key: number for key, number in billed.items() if number > 1}
    assert not twice
    assert replies(tmp_path / "killed.sqlite") == replies(tmp_path / "whole.sqlite")
    assert not list(tmp_path.glob("*.jsonl*"))
    return {
        "killed": killed,
        "requests": REQUESTS,
        "billed": sum(billed.values()),
        "billed_twice": len(twice),
        "batches_created": stats["batches_created"],
        "faults": stats["faults"],
    }


def test_a_few_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = check(tmp_path, monkeypatch, kills=3, seed=1)
    assert found["killed"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_fifty_kills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, record_property: Any
) -> None:
    """Ten each on five ledgers: one run is over before fifty kills hit it."""
    found = check(tmp_path, monkeypatch, kills=10, seed=seed)
    print(json.dumps(found))
    record_property("kills", json.dumps(found))
    assert found["killed"] >= 5
