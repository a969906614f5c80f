"""Batches submitted, polled and collected by a process that is killed again and again.

    python tests/llm/batch_kills.py --out benchmarks/results/llm_batch_kills.json

measures it: 50 kills, on as many ledgers as it takes, since a run is over after some.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from batch_case import KEY, make_requests
from openai_server import LoopbackServer, start_server

from mgld.llm import Ledger

REQUESTS = 120
KILLS = 50
WORKER = """
import sys
sys.path.insert(0, sys.argv[3])
from batch_case import make_requests
from mgld.llm import Ledger, LlmSettings, batch_book, batch_create, batch_file, batch_join, limits
from mgld.llm.batch import run_batches
from mgld.llm.batch_endpoint import BatchEndpoint

batch_file.MAX_REQUESTS = 25
batch_book.CHANGES_PER_COMMIT = batch_join.CHANGES_PER_COMMIT = 10
batch_create.GRACE_SECONDS, batch_create.LIST_SECONDS = 0.6, 0.05
limits.FIRST_BACKOFF = 0.01
settings = LlmSettings(base_url=sys.argv[2], batch=True, max_usd=1.0)
requests = make_requests(int(sys.argv[4]))
# All that is imported late, so that no kill falls into it.
batch_file.request_line(requests[0], "responses")
BatchEndpoint(settings).find("none", "none", 0.0)
with Ledger(sys.argv[1]) as ledger:
    print("begun", flush=True)
    run_batches(requests, ledger, settings, poll_seconds=0.02)
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


def kill_until_done(
    ledger: Path, server: LoopbackServer, kills: int, seed: int
) -> list[Counter[str]]:
    """Kill runs at random moments, then let one finish; the states of batches after each kill."""
    draw = random.Random(seed)
    killed: list[Counter[str]] = []
    while len(killed) < kills:
        process = start(ledger, server)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(draw.uniform(0.0, 0.4))
        if process.poll() is None:
            process.kill()
            process.wait()
            with Ledger(ledger) as opened:
                states = opened.rows("SELECT DISTINCT state FROM batches WHERE state != 'ended'")
            killed.append(Counter(state for (state,) in states))
        elif process.returncode == 0:
            process.communicate()
            return killed
        process.communicate()
    process = start(ledger, server)
    assert process.communicate(timeout=120)[0].endswith("done\n")
    assert process.returncode == 0
    return killed


def kill_run(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Compare a ledger whose runs were killed with one of a run in peace, without faults.

    `kills_with_batches`: how many kills left a batch in each state. `lost` and `billed_twice` are
    counted by the server, by custom_id; `different`: requests whose replies are not the same.
    """
    os.environ["OPENAI_API_KEY"] = KEY
    with start_server({**FAULTS, "seed": seed}) as server:
        killed = kill_until_done(folder / "killed.sqlite", server, kills, seed)
        stats = server.stats()
    with start_server({"batch_polls": 0}) as server:
        kill_until_done(folder / "whole.sqlite", server, 0, seed)
    billed = stats["custom_ids"]
    keys = [request.key for request in make_requests(REQUESTS)]
    one, other = replies(folder / "killed.sqlite"), replies(folder / "whole.sqlite")
    return {
        "kills": len(killed),
        "kills_with_batches": sum(killed, Counter()),
        "requests": REQUESTS,
        "billed": sum(billed.values()),
        "billed_twice": sum(number > 1 for number in billed.values()),
        "lost": sum(key not in billed or key not in one for key in keys),
        "different": sum(one.get(key) != other[key] for key in keys),
        "batches_created": stats["batches_created"],
        "faults": stats["faults"],
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    while sum(row["kills"] for row in rows) < KILLS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(kill_run(Path(folder), KILLS, seed=len(rows)))
            print(json.dumps(rows[-1]), flush=True)
    names = ("kills", "requests", "billed", "billed_twice", "lost", "different", "batches_created")
    found = {
        "what": "SIGKILL at random moments of batch runs, with 500s, drops and lost lines injected",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "total": {name: sum(row[name] for row in rows) for name in names},
        "kills_with_batches": sum((row["kills_with_batches"] for row in rows), Counter()),
        "ledgers": rows,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
