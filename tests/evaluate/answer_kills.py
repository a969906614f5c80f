"""Runs of `mgld answer` killed again and again: no draw lost, none twice.

    python tests/evaluate/answer_kills.py --out benchmarks/results/answer_kills.json

measures it: 50 kills each of a local model that samples and of an endpoint.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from answer_data import QUESTIONS, kill_at_random, rows, settings, start_asking
from hub_build import write_build
from openai_server import start_server
from tiny_vlm import make_babbling_vlm

from mgld.evaluate.answering import AnswerSettings
from mgld.hub import export_dataset
from mgld.llm import LlmSettings

KILLS = 50
DRAWS = 5 * QUESTIONS


def measure(folder: Path, *, kills: int = KILLS) -> list[dict[str, Any]]:
    """Kill runs of both kinds; counts per kind."""
    build = write_build(folder / "source" / "build")
    export_dataset(build, build / "dataset")
    make_babbling_vlm(folder / "babbler")
    local = settings(build, f"hf:{folder / 'babbler'}", batch_size=2, device="cpu")
    found = [_kill(local, folder / "hf", kills)]
    with start_server({"latency": 0.15}) as server:
        llm = LlmSettings(base_url=server.url, concurrency=4)
        endpoint = settings(build, "openai:gpt-4.1-2025-04-14", llm=llm)
        found.append(_kill(endpoint, folder / "openai", kills))
        billed = server.stats()["billed_online"]
    # Of a request in flight nobody knows whether it was served; it is asked again.
    found[1]["requests_billed"] = billed
    found[1]["draws_of_all_runs"] = DRAWS * (found[1]["runs"] + 1)
    return found


def _kill(asked: AnswerSettings, folder: Path, kills: int) -> dict[str, Any]:
    start_asking(asked, folder / "whole", None).join()
    whole = {key: row["text"] for key, row in rows(folder / "whole").items()}
    there = kill_at_random(asked, folder / "killed", None, kills=kills)
    lost = twice = different = runs = 0
    for run in (folder / "killed").iterdir():
        lines = (run / "answers.jsonl").read_text().splitlines()
        keys = [(row["question_id"], row["draw"]) for row in map(json.loads, lines)]
        lost += len(whole.keys() - set(keys))
        twice += len(keys) - len(set(keys))
        different += sum(row["text"] != whole[key] for key, row in rows(run).items())
        runs += 1
    return {
        "model": asked.model.partition(":")[0],
        "kills": len(there),
        "kills_with_some_answers_there": sum(0 < number < DRAWS for number in there),
        "runs": runs,
        "draws_per_run": DRAWS,
        "lost": lost,
        "twice": twice,
        "different_from_a_run_that_was_not_killed": different,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=KILLS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="answer-kills-") as folder:
        found = measure(Path(folder), kills=arguments.kills)
    result = {
        "what": "SIGKILL at random moments of `mgld answer`: a sampling local model, an endpoint",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "models": found,
    }
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
