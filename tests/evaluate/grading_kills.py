"""Grading by a process that is killed again and again.

    python tests/evaluate/grading_kills.py --out benchmarks/results/grading_kills.json

measures it: 50 kills with a judge behind the loopback endpoint, 50 with the rule judge. No verdict
may be lost or there twice, and no reply be paid again beyond those in flight at a kill.
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
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from grading_data import write_run
from openai_server import LoopbackServer, start_server

from mgld.evaluate.graded import read_rows
from mgld.evaluate.grading import LEDGER_FILE
from mgld.evaluate.records import Judged
from mgld.llm import Ledger

MODEL = "openai:gpt-4.1-2025-04-14"
KILLS, CONCURRENCY = 50, 8
QUESTIONS_EACH = {MODEL: 12, "rule": 80}
"""Questions of a run, for each kill."""
FAULTS = {
    "latency": 0.03,
    "rules": [
        {"fault": "status", "status": 500, "share": 0.1, "tries": 1},
        {"fault": "refusal", "share": 0.05},
        {"fault": "half_json", "share": 0.05},
    ],
}
WORKER = """
import sys
from pathlib import Path
from mgld.evaluate.grading import LEDGER_FILE, grade_run
from mgld.evaluate.judges import JudgeOptions, asking, load_judge
from mgld.llm import LlmSettings, limits, online
from mgld.llm.client import sync_client

limits.FIRST_BACKOFF = 0.01
asking.TAKE_SECONDS = 0.02  # so that verdicts are written all the time
run, spec, url = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
settings = LlmSettings(base_url=url, api="responses", concurrency=8, max_usd=1000.0)
if spec != "rule":
    sync_client(settings)  # imports openai, so that no kill falls into that
judge = load_judge(spec, JudgeOptions(ledger=run / LEDGER_FILE, llm=settings))
judge.prompt_hash
print("begun", flush=True)
grade_run(run, judge)
print("done", flush=True)
"""


def start(run: Path, spec: str, url: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(run), spec, url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENAI_API_KEY": "sk-test-abcdefghijklmnop-1234"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def finish(run: Path, spec: str, url: str) -> None:
    process = start(run, spec, url)
    assert process.communicate(timeout=300)[0] == "done\n"
    assert process.returncode == 0


def verdicts_file(run: Path) -> Path:
    (found,) = run.glob("verdicts-*.jsonl")
    return found


def whole_lines(run: Path) -> bytes:
    data = b"".join(path.read_bytes() for path in run.glob("verdicts-*.jsonl"))
    return data[: data.rfind(b"\n") + 1]


def _wait_for_more(run: Path, process: subprocess.Popen[str]) -> None:
    """Until the process has written something, or has ended."""
    there = len(whole_lines(run))
    while len(whole_lines(run)) <= there and process.poll() is None:
        time.sleep(0.002)


def verdicts(run: Path) -> dict[str, Any]:
    """What was said of each question; ValueError where one has several verdicts."""
    found: dict[str, Any] = {}
    for row in read_rows(verdicts_file(run), Judged):
        if row.question_id in found:
            raise ValueError(f"{row.question_id} has two verdicts")
        found[row.question_id] = row.verdict.model_copy(update={"date": ""})
    return found


def kill_run(folder: Path, spec: str, kills: int, seed: int) -> dict[str, Any]:
    """Kill grading `kills` times, let it finish, and compare with grading in peace.

    lost: whole verdicts of a killed process that were gone afterwards. billed_again: replies that
    the endpoint gave to requests it had answered; lost_attempts: intents in the ledger without a
    reply. A kill in the midst of a judge's run counts as `midway`: some verdicts were there, but
    not all.
    """
    number = kills * QUESTIONS_EACH[spec]
    draw = random.Random(seed)
    peace, run = write_run(folder / "peace", number), write_run(folder / "run", number)
    in_flight: list[int] = []
    lost = midway = cut = 0
    before = b""
    with ExitStack() as stack:
        server = stack.enter_context(start_server(FAULTS)) if spec != "rule" else None
        url = server.url if server else "http://127.0.0.1:9/v1"
        finish(peace, spec, url)
        if server:
            server.reset()
        for _ in range(kills):
            process = start(run, spec, url)
            if draw.random() < 0.75:  # the others fall into reading and beginning
                _wait_for_more(run, process)
            time.sleep(draw.uniform(0.0, 0.2 if server else 0.03))
            process.kill()
            process.communicate()
            after = whole_lines(run)
            lost += not after.startswith(before)
            midway += 0 < after.count(b"\n") < number
            cut += any(path.read_bytes()[-1:] not in (b"", b"\n") for path in run.glob("verd*l"))
            before = after
            if (run / LEDGER_FILE).exists():
                with Ledger(run / LEDGER_FILE) as opened:
                    in_flight.append(opened.bury_dead())
        finish(run, spec, url)
        lost += not whole_lines(run).startswith(before)
        paid = _paid(run, server) if server else {}
    of_peace, of_run = verdicts(peace), verdicts(run)
    return {
        "judge": spec,
        "kills": kills,
        "kills_with_some_verdicts_written": midway,
        "kills_that_cut_a_line": cut,
        "questions": number,
        "verdicts": len(of_run),
        "lost": lost,
        "different_from_peace": sum(of_peace[each] != of_run.get(each) for each in of_peace),
        "unscored": sum(verdict.level == "unscored" for verdict in of_run.values()),
        **({"in_flight_at_the_kills": in_flight, **paid} if server else {}),
    }


def _paid(run: Path, server: LoopbackServer) -> dict[str, Any]:
    billed = Counter(server.stats()["online"])
    with Ledger(run / LEDGER_FILE) as opened:
        lost_attempts = opened.lost()
        money = opened.money()
    return {
        "requests_billed": len(billed),
        "billed_again": sum(times - 1 for times in billed.values()),
        "lost_attempts": lost_attempts,
        "reserved_left": money.reserved,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=KILLS)
    given = parser.parse_args()
    found = []
    for spec in QUESTIONS_EACH:
        with tempfile.TemporaryDirectory() as folder:
            found.append(kill_run(Path(folder), spec, given.kills, seed=0))
    result = {
        "what": "SIGKILL at random moments of grading; the endpoint with 500s, refusals and "
        "replies cut in half",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "python": platform.python_version(),
        "concurrency": CONCURRENCY,
        "runs": found,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
