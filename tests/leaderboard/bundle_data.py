"""Graded runs to submit, their bundles, and bundles that somebody has tampered with."""

from __future__ import annotations

import datetime
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

TESTS = Path(__file__).parents[1]
for folder in ("evaluate", "hub"):  # runs made by hand; builds made by hand, and the loopback Hub
    if str(TESTS / folder) not in sys.path:
        sys.path.append(str(TESTS / folder))

from grading_data import question  # noqa: E402

from mgld.evaluate.grading import grade_run  # noqa: E402
from mgld.evaluate.judges import Judge, load_judge  # noqa: E402
from mgld.evaluate.questions import DatasetIdentity  # noqa: E402
from mgld.evaluate.records import Answer, Decoding, Question  # noqa: E402
from mgld.evaluate.run_file import AnswerRun, AnswerSettings, save_run  # noqa: E402
from mgld.leaderboard.findings import Findings  # noqa: E402
from mgld.leaderboard.manifest import file_hashes  # noqa: E402
from mgld.leaderboard.prepare import About, bundle_files  # noqa: E402
from mgld.leaderboard.validate import Validated, validate_files  # noqa: E402

TODAY = datetime.date(2100, 1, 1)
ABOUT = About(submitter="Ada", name="Plain A", model_revision="v1")
Texts = Callable[[int, int], str]


def says(number: int, draw: int) -> str:
    """Every second landmark is named by one draw or by three; draws differ."""
    if number % 2 and draw in ((0,) if number % 4 == 1 else (0, 1, 2)):
        return f"This is Tower {number}, seen {draw} times."
    return f"A tower of grey stone, seen {draw} times."


def write_run(
    folder: Path,
    number: int = 40,
    texts: Texts = says,
    *,
    asked: Callable[[int], Question] = question,
    model: str = "plain:a",
    judge: Judge | None = None,
    decoding: Decoding | None = None,
    answer: dict[str, Any] | None = None,
    **settings: Any,
) -> Path:
    """A run's folder, graded by the rule or by `judge`."""
    folder.mkdir(parents=True)
    decoding = decoding or Decoding()
    lines = "".join(f"{json.dumps(asked(each).model_dump())}\n" for each in range(number))
    (folder / "questions.jsonl").write_text(lines)
    rows = [
        Answer.model_validate(
            {
                "question_id": asked(each).id,
                "draw": draw,
                "text": texts(each, draw),
                "status": "ok",
                "model": model,
                "prompt_version": "question-1",
                "decoding": decoding,
                "seed": 1000 * each + draw,
                **(answer or {}),
            }
        )
        for draw in range(5)
        for each in range(number)
    ]
    (folder / "answers.jsonl").write_text("".join(f"{row.model_dump_json()}\n" for row in rows))
    identity = DatasetIdentity(
        source=str(folder / "data"),
        config="eval",
        split="test",
        content=f"sha256:{'0' * 64}",
        questions=number,
        questions_sha256=hashlib.sha256(lines.encode()).hexdigest(),
    )
    run = AnswerRun(
        settings=AnswerSettings(model=model, data="data", decoding=decoding, **settings),
        prompt_version="question-1",
        dataset=identity,
        model_id=model,
        model_identity={"weights": "w1"},
        versions={"mgld": "0.1.0"},
        began="2026-01-01T00:00:00Z",
        hardware={"cpus": 2},
    )
    save_run(folder, run)
    grade_run(folder, judge or load_judge("rule"))
    return folder


def bundle(folder: Path, *arguments: Any, about: About = ABOUT, **options: Any) -> dict[str, bytes]:
    """The files of the bundle of such a run, unchecked."""
    run = write_run(folder / "run", *arguments, **options)
    judge = options["judge"].id if "judge" in options else "rule"
    return bundle_files(run, judge, about)


def forged(files: dict[str, bytes], **changes: Any) -> dict[str, bytes]:
    """The same with its manifest rewritten, hashes included: what a forger would hand in."""
    manifest = yaml.safe_load(files["submission.yaml"])
    manifest |= {"files": file_hashes(files), **changes}
    manifest["dataset"]["questions_sha256"] = hashlib.sha256(files["questions.jsonl"]).hexdigest()
    return {**files, "submission.yaml": yaml.safe_dump(manifest, sort_keys=False).encode()}


def edit_rows(
    files: dict[str, bytes], name: str, edit: Callable[[list[dict[str, Any]]], Sequence[Any] | None]
) -> dict[str, bytes]:
    """One of the files with its rows changed in place or replaced, hashes stated anew."""
    rows = [json.loads(line) for line in files[name].splitlines()]
    rows = list(edit(rows) or rows)
    return forged({**files, name: "".join(f"{json.dumps(row)}\n" for row in rows).encode()})


def validate(files: dict[str, bytes]) -> Validated:
    found = Findings()
    found.check("files")
    return validate_files(files, found, today=TODAY)


def errors(files: dict[str, bytes]) -> list[tuple[str, str]]:
    """(check, message) of what refuses a bundle."""
    return [
        (each.check, each.message)
        for each in validate(files).findings.all
        if each.severity == "error"
    ]


def warnings(files: dict[str, bytes]) -> list[tuple[str, str]]:
    return [
        (each.check, each.message)
        for each in validate(files).findings.all
        if each.severity == "warning"
    ]
