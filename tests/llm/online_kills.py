"""Online runs of a process that is killed again and again.

    python tests/llm/online_kills.py --out benchmarks/results/llm_online_kills.json

measures it: 50 kills. There is no idempotency key: what is in flight at a kill is sent again. It
must be no more than that, and each must stand in the ledger as an intent and count in the budget.
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

from online_asker import request
from openai_plays import content_hash
from openai_server import LoopbackServer, start_server

from mgld.llm import Ledger
from mgld.llm.wire import body

KEY = "sk-test-abcdefghijklmnop-1234"
KILLS, REQUESTS_EACH, CONCURRENCY = 50, 40, 8
FAULTS = {
    "latency": 0.03,
    "rules": [
        {"fault": "status", "status": 500, "share": 0.1, "tries": 1},
        {"fault": "rate_limit", "retry_after_ms": 10, "share": 0.05, "tries": 1},
    ],
}
WORKER = """
import sys
sys.path.insert(0, sys.argv[3])
from online_asker import request
from mgld.llm import Ledger, LlmSettings, limits, online
from mgld.llm.client import sync_client

limits.FIRST_BACKOFF = 0.01
settings = LlmSettings(base_url=sys.argv[2], api="responses", concurrency=8, max_usd=100.0)
sync_client(settings)  # imports openai, so that no kill falls into that
with Ledger(sys.argv[1]) as ledger:
    print("begun", flush=True)
    online.gather([request(each) for each in range(int(sys.argv[4]))], ledger, settings)
print("done", flush=True)
"""


def start(ledger: Path, server: LoopbackServer, number: int) -> subprocess.Popen[str]:
    here = str(Path(__file__).parent)
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(ledger), server.url, here, str(number)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENAI_API_KEY": KEY},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def replies(ledger: Path, number: int) -> dict[str, Any]:
    with Ledger(ledger) as opened:
        found = opened.replies(request(each).key for each in range(number))
    return {key: (reply.http_status, json.loads(reply.raw)) for key, reply in found.items()}


def kill_run(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill a run `kills` times, let it finish, and compare with a run in peace, without faults.

    `billed_again`: replies the server gave to requests it had answered. `lost_attempts`: intents
    that the ledger ended without a reply. `unexplained`: billed again without such an intent.
    """
    number = kills * REQUESTS_EACH
    draw = random.Random(seed)
    peace, ledger = folder / "peace.sqlite", folder / "killed.sqlite"
    with start_server({}) as server:
        assert start(peace, server, number).wait(timeout=120) == 0
    in_peace = replies(peace, number)
    in_flight: list[int] = []
    with start_server(FAULTS) as server:
        for _ in range(kills):
            served = server.stats(whole=False)["billed_online"]
            process = start(ledger, server, number)
            # At work, however long its start takes: else there may be nothing in flight to lose.
            while process.poll() is None and server.stats(whole=False)["billed_online"] == served:
                time.sleep(0.01)
            time.sleep(draw.uniform(0.02, 0.25))
            assert process.poll() is None, "it was done before the kill"
            process.kill()
            process.communicate()
            with Ledger(ledger) as opened:
                in_flight.append(opened.bury_dead())
        process = start(ledger, server, number)
        assert process.communicate(timeout=120)[0] == "done\n"
        assert process.returncode == 0
        billed = Counter(server.stats()["online"])
        faults = server.stats(whole=False)["faults"]
        tokens = server.stats(whole=False)
    with Ledger(ledger) as opened:
        lost = Counter(
            key for (key,) in opened.rows("SELECT key FROM attempts WHERE outcome LIKE 'lost%'")
        )
        money = opened.money()
        unanswered = number - len(opened.answered())
    of = {
        content_hash("responses", body(r, None, "responses")): r.key
        for r in map(request, range(number))
    }
    again = {content: times - 1 for content, times in billed.items() if times > 1}
    # gpt-4.1: 2 and 8 dollars per million tokens; cached input is cheaper, so this is the most.
    most = (tokens["input_tokens"] * 2 + tokens["output_tokens"] * 8) / 1e6
    return {
        "kills": kills,
        "requests": number,
        "in_flight_at_the_kills": in_flight,
        "answered": number - unanswered,
        "billed_again": sum(again.values()),
        "lost_attempts": sum(lost.values()),
        "unexplained": sum(times > lost[of[content]] for content, times in again.items()),
        "reserved_left": money.reserved,
        "charged_usd": money.charged,
        "billed_usd_at_most": most,
        "different": sum(in_peace[key] != reply for key, reply in replies(ledger, number).items()),
        "faults": faults,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=KILLS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = kill_run(Path(folder), given.kills, seed=0)
    result = {
        "what": "SIGKILL at random moments of online runs, with 500s and 429s injected",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "python": platform.python_version(),
        "concurrency": CONCURRENCY,
        **found,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
