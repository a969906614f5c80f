"""How fast the site of 1,000 submissions of 5,000 questions is built and opens, and its weight.

    python -m benchmarks.speed.leaderboard_site --out benchmarks/results/leaderboard_site.json

The submissions are made up on the spot: letters drawn at random, of models between 2 and 70 %, on
landmarks that are hard or easy for all of them, with four answers in a thousand unscored. Their
breakdowns are counted once and shared, since counting them takes longer than everything that is
measured. The build runs in a process of its own, interpreter and imports included. In Chromium,
times are from the event to the next frame that is painted.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import hashlib
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from mgld.evaluate.metrics import level_metrics
from mgld.files import write_text_atomically
from mgld.leaderboard.entry import Entry, QuestionFacts, count
from mgld.leaderboard.manifest import Submission
from mgld.leaderboard.rejudge import Rejudged

SUBMISSIONS: Final = 1_000
QUESTIONS: Final = 5_000
FLAGS: Final = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--disable-component-update",
                "--disable-sync"]  # fmt: skip
LETTERS: Final = np.frombuffer(b"SKWU-", dtype=np.uint8)
STATES: Final = ("strongly_known", "known", "weakly_unknown", "unknown", "unscored")


def write_records(records: Path, submissions: int, questions: int, a_landmark: int) -> None:
    """Made-up entries of one board, and what was asked."""
    for name in ("entries", "questions"):
        (records / name).mkdir(parents=True)
    draw = np.random.default_rng(0)
    labels = [f"kind of landmark {number}" for number in range(78)]
    facts = [
        QuestionFacts(
            id=f"{row:016x}", landmark_id=row // a_landmark, name=f"Landmark number {row}",
            label=str(draw.choice(labels)), sim=float(draw.random()), rsr=float(draw.random()),
            natural_or_human_made=str(draw.choice(["natural", "human-made"])),
            images=int(draw.integers(1, 300)),
        )
        for row in range(questions)
    ]  # fmt: skip
    hard = draw.normal(0, 1.5, questions)
    clusters = [each.landmark_id for each in facts]
    shared = None
    for number in range(submissions):
        skill = np.log(1 / draw.uniform(0.3, 0.98) - 1)
        hits = draw.binomial(5, 1 / (1 + np.exp(hard - skill)) * 0.6)
        rows = np.select([hits > 1, hits == 1, draw.random(questions) < 0.2], [0, 1, 2], 3)
        rows[draw.random(questions) < 0.004] = 4
        outcomes = LETTERS[rows].tobytes().decode()
        identified = "".join(map(str, np.where(rows == 4, 0, hits)))
        statuses = "o" * 5 * questions
        if shared is None:
            shared = count(facts, outcomes, identified, statuses)
        levels = level_metrics([STATES[row] for row in rows], clusters=clusters)
        entry = _entry(number, facts, outcomes, identified, statuses)
        numbers = shared.model_copy(update={"levels": levels})
        text = Entry.model_validate(entry | {"numbers": numbers}).model_dump_json(indent=1)
        (records / "entries" / f"{entry['bundle'][:20]}.json").write_text(text, encoding="utf-8")
    lines = "".join(f"{each.model_dump_json()}\n" for each in facts)
    (records / "questions" / f"{'5' * 16}.jsonl").write_text(lines, encoding="utf-8")


def _entry(
    number: int, facts: list[QuestionFacts], outcomes: str, identified: str, statuses: str
) -> dict[str, Any]:
    total = len(facts)
    submission = Submission.model_validate(
        {
            "name": f"Vision Model {number} (7B)",
            "submitter": f"Group {number % 90}",
            "model": f"hf:group-{number % 90}/vision-model-{number}",
            "model_repo": f"group-{number % 90}/vision-model-{number}",
            "prompt": "question",
            "prompt_version": "question-1",
            "decoding": {},
            "seed": 0,
            "judge": "rule",
            "judge_prompt_hash": "a" * 64,
            "versions": {"mgld": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0"},
            "hardware": {"gpus": 8},
            "files": {},
            "dataset": {"source": "made-up/mgld", "config": "eval", "split": "test",
                        "revision": "v1.0.0", "questions": total, "questions_sha256": "5" * 64},
        }
    )  # fmt: skip
    again = Rejudged(judge="rule", prompt_hash="a" * 64, questions=total, total=total, seed=0,
                     same=total, unscored=0, stated=0.5, found=0.5, differences=[])  # fmt: skip
    return {
        "bundle": hashlib.sha256(str(number).encode()).hexdigest(),
        "submission": submission,
        "outcomes": outcomes,
        "identified": identified,
        "statuses": statuses,
        "answer_prints": "0" * 8 * total,
        "answered_by": {},
        "first_reply": "",
        "last_reply": "",
        "graded": "2026-01-01",
        "rejudged": again,
        "accepted": f"2026-{1 + number % 12:02d}-01",
    }


def build(records: Path, site: Path) -> dict[str, float]:
    """Seconds and peak memory of the whole command, in a process of its own."""
    code = "from mgld.cli import main; main()"
    command = [sys.executable, "-c", code, "leaderboard", "build", "--records", str(records)]
    began, used = time.perf_counter(), os.times()
    subprocess.run([*command, "--out", str(site)], check=True, capture_output=True)
    seconds, now = time.perf_counter() - began, os.times()
    return {
        "build_seconds": round(seconds, 1),
        "build_cpu_seconds": round(
            now.children_user + now.children_system - used.children_user - used.children_system, 1
        ),
        "build_peak_mib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
    }


def weight(site: Path) -> dict[str, int]:
    """Bytes of the pages, as they lie and as a server sends them."""
    slug = next((site / "submissions").iterdir()).stem
    pages = {"index": "index.html", "submission": f"submissions/{slug}.html",
             "compare": "compare.html", "letters": f"data/{slug}.js"}  # fmt: skip
    found = {}
    for name, path in pages.items():
        data = (site / path).read_bytes()
        found[f"{name}_bytes"] = len(data)
        found[f"{name}_gzip_bytes"] = len(gzip.compress(data))
    found["site_bytes"] = sum(each.stat().st_size for each in site.rglob("*") if each.is_file())
    return found


_PAINTED = "await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));"
KEY = f"""async (text) => {{
  const field = document.getElementById("f-q");
  const began = performance.now();
  field.value = text;
  field.dispatchEvent(new Event("input", {{ bubbles: true }}));
  {_PAINTED}
  return performance.now() - began;
}}"""
SORT = f"""async (key) => {{
  const button = document.querySelector(`th[data-key=${{key}}] button`);
  const began = performance.now();
  button.click();
  {_PAINTED}
  return performance.now() - began;
}}"""


def open_site(site: Path, rounds: int) -> dict[str, Any]:
    """Seconds, median and worst of `rounds`, each in a browser context of its own."""
    from playwright.sync_api import sync_playwright

    seconds: dict[str, list[float]] = {
        "interactive": [],
        "keystroke": [],
        "sort": [],
        "compare": [],
    }
    slugs = sorted(each.stem for each in (site / "submissions").iterdir())[:2]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for _ in range(rounds):
            context = chromium.new_context(viewport={"width": 1280, "height": 900})
            tab = context.new_page()
            began = time.perf_counter()
            tab.goto((site / "index.html").as_uri())
            tab.locator("#where", has_text="submissions").wait_for()
            tab.evaluate(f"async () => {{ {_PAINTED} }}")
            seconds["interactive"].append(time.perf_counter() - began)
            for text in ("m", "mo", "mod", "model 9", "model 99", "", "group 7"):
                seconds["keystroke"].append(tab.evaluate(KEY, text) / 1000)
            tab.evaluate(KEY, "")
            for key in ("accuracy", "accuracy", "name", "date", "rank"):
                seconds["sort"].append(tab.evaluate(SORT, key) / 1000)
            began = time.perf_counter()
            tab.goto((site / "compare.html").as_uri() + f"#a={slugs[0]}&b={slugs[1]}")
            tab.locator("#result").wait_for()
            seconds["compare"].append(time.perf_counter() - began)
            context.close()
        browser = chromium.version
        chromium.close()
    return {
        "rounds": rounds,
        "chromium": browser,
        **{
            f"{what}_seconds": {
                "median": round(statistics.median(all_), 3),
                "worst": round(max(all_), 3),
            }
            for what, all_ in seconds.items()
        },
    }


def measure(submissions: int, questions: int, a_landmark: int, rounds: int) -> dict[str, Any]:
    """One size: build, weight, and the pages in Chromium."""
    with tempfile.TemporaryDirectory() as folder:
        records, site = Path(folder) / "records", Path(folder) / "site"
        write_records(records, submissions, questions, a_landmark)
        return {
            "submissions": submissions,
            "questions": questions,
            "questions_a_landmark": a_landmark,
            **build(records, site),
            **weight(site),
            **open_site(site, rounds),
        }


def main() -> None:
    """Measure; print, and write to --out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=SUBMISSIONS)
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    parser.add_argument("--a-landmark", type=int, default=1, help="questions of a landmark")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    result = {
        "what": "mgld leaderboard build, and its pages in Chromium",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "versions": {"python": platform.python_version(),
                     **{name: version(name) for name in ("mgld", "numpy", "jinja2")}},
        "load_before": [round(each, 1) for each in os.getloadavg()],
        "site": measure(given.submissions, given.questions, given.a_landmark, given.rounds),
    }  # fmt: skip
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        write_text_atomically(given.out, text + "\n")


if __name__ == "__main__":
    main()
