"""A dataset of the real photographs, annotated over the loopback endpoint and killed on the way.

    python tests/build/model_build_kills.py --out benchmarks/results/llm_build.json

runs `mgld build --annotator openai:MODEL --base-url URL` and kills it where the ledger has so many
replies; the endpoint counts what it answered.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

PHOTOGRAPHS = Path(__file__).resolve().parents[3] / "shared" / "data" / "gldv2-wa"
KILL_AT = (1, 60, 130, 239, 240, 330, 450)
"""Replies in the ledger at which the build is killed; 239 are stage qa's, as many entities'."""
FAULTS = {
    "latency": 0.15,
    "rules": [
        {"fault": "status", "status": 500, "share": 0.05, "tries": 1},
        {"fault": "rate_limit", "retry_after_ms": 50, "share": 0.05, "tries": 1},
        {"fault": "cut", "share": 0.01, "tries": 1},
    ],
}


def start(out: Path, url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from mgld.cli import main; main()", "build"]
    command += ["--source", str(PHOTOGRAPHS), "--encoder", "nano", "--out", str(out)]
    command += ["--annotator", "openai:gpt-4.1-mini-2025-04-14", "--base-url", url]
    command += ["--max-usd", "20", "--concurrency", "8"]
    environment = {**os.environ, "OPENAI_API_KEY": "sk-test-abcdefghijklmnop"}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)


def build_killed(out: Path) -> dict[str, Any]:
    """Build in `out`, killed on the way; what came out and what was served."""
    sys.path.append(str(Path(__file__).parents[1] / "llm"))
    from openai_server import start_server

    from mgld.build import build_status
    from mgld.llm import Ledger

    ledger = out / "ledger.sqlite"
    killed_at: list[int] = []
    began = time.monotonic()
    with start_server(FAULTS) as server:
        for replies in KILL_AT:
            process = start(out, server.url)
            while process.poll() is None:
                if ledger.is_file():
                    with Ledger(ledger, create=False) as opened:
                        answered = len(opened.answered())
                    if answered >= replies:
                        break
                time.sleep(0.01)
            assert process.poll() is None, "it ended before the kill"
            process.kill()
            process.wait()
            killed_at.append(answered)
        assert start(out, server.url).wait() == 0
        seconds = time.monotonic() - began
        stats = server.stats()
        assert start(out, server.url).wait() == 0  # all is there: nothing is asked
        asked_by_the_last = sum(server.stats()["online"].values()) - sum(stats["online"].values())
    status = build_status(out)
    with Ledger(ledger) as opened:
        money, lost = opened.money(), opened.lost()
    counts = {stage.stage: stage.counts for stage in status.stages}
    billed = Counter(stats["online"])
    return {
        "killed_at_replies": killed_at,
        "seconds": seconds,
        "complete": status.complete,
        "balanced": all(balance.balanced for balance in status.balances),
        "qa": counts["qa"]["landmark"],
        "entities": counts["entities"]["landmark"],
        "requests": len(billed),
        "billed": sum(billed.values()),
        "lost_attempts": lost,
        "asked_by_a_last_run": asked_by_the_last,
        "charged_usd": money.charged,
        "reserved_usd": money.reserved,
        "faults": stats["faults"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = build_killed(Path(folder) / "build")
    result = {
        "what": "a dataset of 239 real landmarks by `mgld build --annotator openai:...`, killed",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "python": platform.python_version(),
        **found,
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
