"""What grading adds to the time that a judge's endpoint takes; resuming a finished run.

    python -m benchmarks.speed.grading --out benchmarks/results/speed_grading.json

2,500 questions with five answers each, judged over the loopback server of the tests with 1 s of
latency, 32 requests at a time: ideal is 79 turns (2,500 / 32) of 1 s. Ours is the whole command
`mgld grade` in a fresh process, interpreter and imports included: it also writes every request,
reply and verdict to disk and makes the metrics and the page. The bare loop sends the same bodies
through `AsyncOpenAI` under a semaphore and keeps the texts in a list; its process's start does not
count. Then the same command again, which finds everything done. Some 3 minutes a round.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import math
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mgld.evaluate.grading import read_cases
from mgld.evaluate.judges import JudgeOptions
from mgld.evaluate.judges.model import model_judge
from mgld.evaluate.judges.shown import show
from mgld.evaluate.records import DRAWS, Answer, Decoding, Question, Truth
from mgld.files import write_text_atomically
from mgld.llm.wire import body

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "tests" / "llm" / "openai_server.py"
LATENCY, CONCURRENCY, QUESTIONS = 1.0, 32, 2_500
MODEL = "gpt-4.1-2025-04-14"
SENTENCE = (
    "this picture shows a tower of pale stone above a river with an old bridge and a market square "
    "in the north of the country where merchants once met it was built by monks in the middle ages"
)
WORDS = SENTENCE.split()


def write_run(folder: Path) -> Path:
    """A run of random answers of about 90 words; the landmark's name is in some of them."""
    draw = random.Random(0)
    folder.mkdir(parents=True)
    questions, answers = [], []
    for number in range(QUESTIONS):
        name = f"{draw.choice(WORDS).title()} Tower {number}"
        question = Question(
            id=f"q{number}",
            landmark_id=number,
            text="What is the location shown in the image?",
            image_sha256="0" * 64,
            truth=Truth(name=name, aliases=[f"Turm {number}"], place_hints=["Nordvik", "Norway"]),
            sim=draw.random(),
            rsr=draw.random(),
            images=draw.randint(1, 99),
        )
        questions.append(question.model_dump_json())
        for each in range(DRAWS):
            text = " ".join(draw.choices(WORDS, k=90))
            if draw.random() < 0.2:
                text = f"This is {name}. {text}"
            row = Answer(
                question_id=question.id,
                draw=each,
                text=text,
                status="ok",
                model="hf:some/model",
                prompt_version="question-1",
                decoding=Decoding(),
                seed=each,
            )
            answers.append(row.model_dump_json())
    (folder / "questions.jsonl").write_text("\n".join([*questions, ""]))
    (folder / "answers.jsonl").write_text("\n".join([*answers, ""]))
    return folder


def ours(url: str, run: Path) -> dict[str, float]:
    """Seconds of the whole command in a process of its own, and its CPU."""
    code = "from mgld.cli import main; main()"
    command = [sys.executable, "-c", code, "grade", str(run), "--judge", f"openai:{MODEL}"]
    command += ["--base-url", url, "--concurrency", str(CONCURRENCY), "--api", "responses"]
    began, used = time.perf_counter(), os.times()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    seconds, now = time.perf_counter() - began, os.times()
    cpu = now.children_user + now.children_system - used.children_user - used.children_system
    return {"seconds": seconds, "cpu_seconds": cpu}


def bare(url: str, run: Path) -> dict[str, float]:
    """Seconds of a semaphore around the client's own call, with the same bodies."""
    from openai import AsyncOpenAI

    judge = model_judge(MODEL, JudgeOptions())
    bodies = [body(judge.request(c, show(c)), None, "responses") for c in read_cases(run)]

    async def ask_all() -> float:
        client = AsyncOpenAI(base_url=url, api_key="sk-none", max_retries=2)
        slots = asyncio.Semaphore(CONCURRENCY)

        async def ask(fields: dict[str, Any]) -> str:
            async with slots:
                text: str = (await client.responses.create(**fields)).output_text
                return text

        began = time.perf_counter()
        texts = await asyncio.gather(*map(ask, bodies))
        assert all(texts)
        return time.perf_counter() - began

    return {"seconds": asyncio.run(ask_all())}


def measure(url: str, folder: Path, rounds: int) -> dict[str, Any]:
    """Both sides in turns, then the command on a finished run, and on one without its metrics."""
    turns: dict[str, list[dict[str, float]]] = {"ours": [], "bare": []}
    fresh = write_run(folder / "fresh")
    for number in range(rounds):
        run = Path(shutil.copytree(fresh, folder / f"run-{number}"))
        turns["ours"].append(ours(url, run))
        turns["bare"].append(bare(url, run))
    again = [ours(url, run) for _ in range(3)]
    remade = []
    for _ in range(2):
        (metrics,) = run.glob("metrics-*.json")
        metrics.unlink()
        remade.append(ours(url, run))
    ideal = math.ceil(QUESTIONS / CONCURRENCY) * LATENCY
    medians = {
        side: statistics.median(turn["seconds"] for turn in taken) for side, taken in turns.items()
    }
    return {
        "questions": QUESTIONS,
        "answers": QUESTIONS * DRAWS,
        "latency_seconds": LATENCY,
        "concurrency": CONCURRENCY,
        "ideal_seconds": ideal,
        "seconds": medians,
        "overhead": {side: seconds / ideal - 1 for side, seconds in medians.items()},
        "overhead_beside_bare": medians["ours"] / medians["bare"] - 1,
        "cpu_share": statistics.median(turn["cpu_seconds"] for turn in turns["ours"]) / ideal,
        "all_turns": turns,
        "resume_finished_seconds": statistics.median(turn["seconds"] for turn in again),
        "resume_and_remake_metrics_seconds": statistics.median(t["seconds"] for t in remade),
        "all_resumes": [*again, *remade],
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    os.environ["OPENAI_API_KEY"] = "sk-none"
    command = [sys.executable, str(SERVER), "--latency", str(LATENCY), "--until-stdin-closes"]
    load = os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server,
    ):
        assert server.stdout is not None and server.stdin is not None
        url = json.loads(server.stdout.readline())["url"]
        result = {
            "what": "2,500 questions with five answers judged over a loopback endpoint with 1 s of "
            "latency, 32 at a time; the same again when all is done",
            "date": datetime.date.today().isoformat(),
            "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores (shared with "
            "the endpoint)",
            "load_before": load,
            "niceness": os.nice(0),
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in ("mgld", "openai", "aiohttp", "pydantic")},
            },
            **measure(url, Path(folder), given.rounds),
            "load_after": os.getloadavg()[0],
        }
        server.stdin.close()
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        write_text_atomically(given.out, text + "\n")


if __name__ == "__main__":
    main()
