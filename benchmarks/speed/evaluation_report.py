"""How fast the page of 2,500 cases is written and opens in Chromium, and how large it is.

    python -m benchmarks.speed.evaluation_report --out benchmarks/results/evaluation_report.json

The answers are sentences put together from a list of words, as long as `--words` says (the paper's
256 new tokens are some 190 words); they compress less well than a model's, which repeat each other.
A page is open when its figures are there and the first case can be read.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import random
import re
import shutil
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mgld.evaluate.grading import grade_run
from mgld.evaluate.judges.rule import RuleJudge
from mgld.evaluate.records import DRAWS, Answer, Decoding, Question, Truth
from mgld.files import write_text_atomically
from mgld.report.evaluation import write_evaluation_report

CASES = 2_500
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update",
         "--disable-sync"]  # fmt: skip


def write_run(folder: Path, words: int, seed: int = 0) -> None:
    """A run of CASES questions; every second answer names the landmark."""
    draws = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["".join(draws.choices(letters, k=draws.randint(2, 11))) for _ in range(20_000)]
    labels = [f"kind {number}" for number in range(78)]
    questions, answers = [], []
    for row in range(CASES):
        name = " ".join(word.title() for word in draws.choices(vocabulary, k=3))
        places = [word.title() for word in draws.choices(vocabulary, k=2)]
        questions.append(
            Question(
                id=f"{row:016x}",
                landmark_id=row,
                text="Which landmark is shown in the picture, and what is it known for?",
                image_sha256=f"{row:064x}",
                truth=Truth(name=name, aliases=[name.upper()], place_hints=places,
                            label=draws.choice(labels),
                            answer=" ".join(draws.choices(vocabulary, k=60))),
                natural_or_human_made=draws.choice(["natural", "human-made"]),
                sim=draws.random(), rsr=draws.random(), rank=draws.randint(1, 50_000),
                images=draws.randint(1, 300),
            )
        )  # fmt: skip
        for draw in range(DRAWS):
            said = " ".join(draws.choices(vocabulary, k=words)) + "."
            if draws.random() < 0.5:
                said = f"This is {name}. {said}"
            answers.append(
                Answer(question_id=questions[-1].id, draw=draw, text=said, status="ok",
                       model="made-up", prompt_version="question", decoding=Decoding())
            )  # fmt: skip
    for stem, rows in (("questions", questions), ("answers", answers)):
        lines = "".join(f"{row.model_dump_json()}\n" for row in rows)
        (folder / f"{stem}.jsonl").write_text(lines, encoding="utf-8")


def measure(words: int, rounds: int) -> dict[str, Any]:
    """One page: its size, the seconds to write it, and to open, search and leaf in Chromium."""
    with tempfile.TemporaryDirectory() as folder:
        run, page = Path(folder) / "run", Path(folder) / "page.html"
        run.mkdir()
        write_run(run, words)
        grade_run(run, RuleJudge())
        began = time.perf_counter()
        write_evaluation_report(run, None, page)
        wrote = time.perf_counter() - began
        cut = re.search(r"longer than ([\d,]+) characters", page.read_text(encoding="utf-8"))
        return {
            "words_an_answer": words,
            "answers_bytes": (run / "answers.jsonl").stat().st_size,
            "page_bytes": page.stat().st_size,
            "texts_cut_at_characters": int(cut[1].replace(",", "")) if cut else None,
            "write_seconds": round(wrote, 2),
            **open_page(page, rounds),
        }


def open_page(page: Path, rounds: int) -> dict[str, Any]:
    """Seconds, median and worst of `rounds`, each in a browser context of its own."""
    from playwright.sync_api import sync_playwright

    seconds: dict[str, list[float]] = {"open": [], "first_search": [], "leaf": []}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for _ in range(rounds):
            context = chromium.new_context(viewport={"width": 1280, "height": 900})
            tab = context.new_page()
            began = time.perf_counter()
            tab.goto(page.as_uri())
            tab.locator("#case h3").wait_for(state="visible")
            seconds["open"].append(time.perf_counter() - began)
            for what, script in (("first_search", SEARCH), ("leaf", LEAF)):
                seconds[what].append(tab.evaluate(script) / 1000)
            context.close()
        browser = chromium.version
        chromium.close()
    found = {
        f"{what}_seconds": {
            "median": round(statistics.median(all_), 3),
            "worst": round(max(all_), 3),
        }
        for what, all_ in seconds.items()
    }
    return {"rounds": rounds, "chromium": browser, **found}


SEARCH = """() => {
  const field = document.getElementById("f-search");
  const began = performance.now();
  field.value = "zq";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  const took = performance.now() - began;
  field.form.reset();
  return took;
}"""
LEAF = """() => {
  const began = performance.now();
  for (let k = 0; k < 100; k += 1) document.querySelector("[data-step='1']").click();
  document.body.offsetHeight;
  return (performance.now() - began) / 100;
}"""


def main() -> None:
    """Measure pages of short and of long answers; print, and write to --out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--words", type=int, nargs="+", default=[12, 60, 190])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    result = {
        "what": f"the page of an evaluation of {CASES:,} cases, {DRAWS} answers each, no pictures",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "versions": {"python": platform.python_version(),
                     **{name: version(name) for name in ("mgld", "matplotlib", "jinja2")}},
        "load_before": [round(each, 1) for each in os.getloadavg()],
        "pages": [measure(words, given.rounds) for words in given.words],
    }  # fmt: skip
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        write_text_atomically(given.out, text + "\n")


if __name__ == "__main__":
    main()
