"""A graded run of ten questions, with every level among its verdicts."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

TESTS = Path(__file__).parents[1]
for folder in ("evaluate", "hub"):
    if str(TESTS / folder) not in sys.path:
        sys.path.append(str(TESTS / folder))


def call(*arguments: object) -> None:
    from mgld.cli import main

    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="session")
def graded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from hub_build import write_build

    from mgld.evaluate.questions import load_questions
    from mgld.hub import export_dataset

    folder = tmp_path_factory.mktemp("eee")
    build = write_build(folder / "build")
    export_dataset(build, build / "dataset")
    lines = []
    for row, question in enumerate(load_questions(build)):
        for draw in range(5):
            said = f"This is {question.truth.name}." if draw < row % 3 else "An old <b>wall</b>."
            line = {"question_id": question.id, "draw": draw, "text": said}
            if row == 4 and draw == 4:
                line |= {"text": "", "status": "error", "reason": "timeout"}
            lines.append(json.dumps(line))
    (folder / "said.jsonl").write_text("\n".join(lines) + "\n")
    run = folder / "run"
    call("answer", "--model", f"file:{folder / 'said.jsonl'}", "--data", build, "--out", run)
    call("grade", run, "--judge", "rule")
    return run


@pytest.fixture
def run(graded_once: Path, tmp_path: Path) -> Path:
    """A copy of it, to change."""
    shutil.copytree(graded_once, tmp_path / "run")
    return tmp_path / "run"
