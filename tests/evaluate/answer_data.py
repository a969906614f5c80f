"""A small dataset to ask about, models made for tests, and processes to be killed."""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from mgld.evaluate.answering import AnswerSettings, answer_questions
from mgld.evaluate.models.base import Asked
from mgld.evaluate.questions import open_questions
from mgld.evaluate.records import Decoding

TESTS = Path(__file__).parents[1]
for folder in ("llm", "hub"):  # the loopback endpoint and the tiny model; a build made by hand
    if str(TESTS / folder) not in sys.path:
        sys.path.append(str(TESTS / folder))

DRAWS = 5
QUESTIONS = 10
"""In split `test` of the dataset."""

PLUGIN = '''
import json, os, time
from mgld.evaluate.records import Answer

class Plain:
    """Says which draw of which question it is, and writes each down."""
    def __init__(self, rest, options):
        self.rest, self.options = rest, options
    @property
    def id(self):
        return f"plain:{self.rest}"
    def identity(self):
        return {"weights": os.environ.get("PLAIN_WEIGHTS", "w1")}
    def answer(self, asked, on_answer):
        for each in asked:
            for draw in each.draws:
                time.sleep(float(os.environ.get("PLAIN_SECONDS", "0")))
                size = len(each.read_image()) if each.read_image else 0
                text = f"{each.text} / {draw} / {each.draw_seed(draw)} / {size} " + "x" * 200
                failed = self.rest == "failing" and draw == 2
                on_answer(each.answer(draw, text, model=self.id, seed=each.draw_seed(draw),
                    status="error" if failed else "ok", reason="no" if failed else ""))
                if self.rest == "twice":
                    on_answer(each.answer(draw, text, model=self.id))
                if self.rest == "stranger":
                    on_answer(each.answer(draw + 1, text, model="another"))

def load(rest, options):
    return Plain(rest, options)
'''


def install_plugin(folder: Path) -> Path:
    """An installed distribution that brings the model `plain:`; put the folder on the path."""
    info = folder / "mgld_plain-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mgld-plain\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mgld.models]\nplain = mgld_plain_model:load\n")
    (folder / "mgld_plain_model.py").write_text(PLUGIN)
    return folder


def settings(data: Path, model: str = "plain:a", **more: Any) -> AnswerSettings:
    decoding = more.pop("decoding", Decoding(max_new_tokens=24))
    return AnswerSettings(model=model, data=str(data), decoding=decoding, **more)


def ask(build: Path, number: int = 6, **decoding: Any) -> list[Asked]:
    """Questions of different lengths, so that batches are padded."""
    found = open_questions(build, limit=number)
    return [
        Asked(
            question=question,
            instructions="",
            text=question.text + " Well?" * place,
            prompt_version="p",
            decoding=Decoding(**{"max_new_tokens": 16, **decoding}),
            draws=tuple(range(DRAWS)),
            of=DRAWS,
            read_image=lambda question=question: found.read_image(question.id),
        )
        for place, question in enumerate(found.questions)
    ]


def rows(folder: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Answers by (question, draw); a second line of one, or one that is cut, fails."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for line in (folder / "answers.jsonl").read_text().split("\n")[:-1]:
        row = json.loads(line)
        key = (row["question_id"], row["draw"])
        assert key not in found
        found[key] = row
    return found


# Processes to be killed.


def warm_context() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["answer_data", "datasets", "torch", "transformers", "mgld.evaluate.models.openai"]
    )
    return context


def run(text: str, folder: str, path: str) -> None:
    """Body of a process that answers."""
    if path:
        sys.path.insert(0, path)
    answer_questions(AnswerSettings.model_validate_json(text), folder)


def start_asking(asked: AnswerSettings, folder: Path, path: Path | None) -> ForkServerProcess:
    process = warm_context().Process(
        target=run, args=(asked.model_dump_json(), str(folder), str(path or ""))
    )
    process.start()
    return process


def kill_at_random(
    asked: AnswerSettings, folder: Path, path: Path | None, *, kills: int, seed: int = 0
) -> list[int]:
    """Kill runs at random moments; whole answers that were there at each kill.

    A moment is a random number of answers beyond those that a run began with, and up to 20 ms, or
    where the number is 0 up to a second: so kills fall everywhere, whatever the machine's speed. A
    run that ends before is finished, and the next begins in a folder of its own.
    """
    moments, there, number = random.Random(seed), [], 0
    while len(there) < kills:
        run = folder / str(number)
        began = _lines(run)
        target = moments.randrange(began, DRAWS * QUESTIONS + 1)
        process = start_asking(asked, run, path)
        while process.exitcode is None and _lines(run) < target:
            time.sleep(0.001)
        process.join(moments.uniform(0.0, 0.02 if target > began else 1.0))
        if process.exitcode is None:
            process.kill()
            process.join()
            there.append(_lines(run))
        else:
            assert process.exitcode == 0
            number += 1
    process = start_asking(asked, folder / str(number), path)
    process.join()
    assert process.exitcode == 0
    return there


def _lines(run: Path) -> int:
    file = run / "answers.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0
