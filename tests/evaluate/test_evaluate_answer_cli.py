"""`mgld answer` on the command line: prompts, exit codes, and being killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from answer_data import kill_at_random, rows, settings
from click.testing import CliRunner, Result
from hub_build import landmark_name

from mgld.cli import main
from mgld.evaluate.answering import answer_questions, load_run


def answer(build: Path, out: Path, *arguments: str, model: str = "plain:a") -> Result:
    base = ["answer", "--model", model, "--data", str(build), "--out", str(out)]
    return CliRunner().invoke(main, [*base, *arguments])


def test_counts_and_the_next_step(answer_build: Path, plugin: Path, tmp_path: Path) -> None:
    done = answer(answer_build, tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert (
        "50 draws of 10 questions = 50 answered + 0 refused + 0 errors + 0 missing" in done.stdout
    )
    assert "mgld grade" in done.stdout
    again = answer(answer_build, tmp_path / "run", "--json")
    assert json.loads(again.stdout)["before"] == 50


def test_decoding_is_in_every_row(answer_build: Path, plugin: Path, tmp_path: Path) -> None:
    flags = ["--temperature", "none", "--top-p", "0.9", "--max-new-tokens", "7", "--limit", "2"]
    assert answer(answer_build, tmp_path / "run", *flags).exit_code == 0
    for row in rows(tmp_path / "run").values():
        assert row["decoding"] == {"temperature": None, "top_p": 0.9, "max_new_tokens": 7}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("off", "What is this, {id}? /"),
        ("ask", "Before you answer, list the entities that you can see"),
        ("given", "Entities visible in the image: blue walls, grey roof, {id} windows."),
    ],
)
def test_entity_prompts(
    answer_build: Path, plugin: Path, tmp_path: Path, kind: str, said: str
) -> None:
    run = tmp_path / "run"
    assert answer(answer_build, run, "--entity-prompt", kind, "--limit", "3").exit_code == 0
    for line in (run / "questions.jsonl").read_text().splitlines():
        question: dict[str, Any] = json.loads(line)
        row = rows(run)[question["id"], 0]
        assert said.format(id=question["landmark_id"]) in row["text"]
        assert row["text"].startswith(question["text"])
        assert landmark_name(question["landmark_id"]) not in row["text"]
        assert row["prompt_version"] == load_run(run).prompt_version
    assert load_run(run).prompt_version.startswith("question" if kind == "off" else "entities")


def test_wrong_calls_and_missing_draws(answer_build: Path, plugin: Path, tmp_path: Path) -> None:
    done = answer(answer_build, tmp_path / "a", model="nobody:x")
    assert done.exit_code == 1 and "no model is called 'nobody:x'" in done.output
    assert answer(answer_build, tmp_path / "a", "--temperature", "warm").exit_code == 2
    done = answer(answer_build / "none", tmp_path / "a")
    assert done.exit_code == 1 and not (tmp_path / "a").exists()
    mine = tmp_path / "mine.jsonl"
    mine.write_text("")
    done = answer(answer_build, tmp_path / "b", "--limit", "1", model=f"file:{mine}")
    assert done.exit_code == 1 and "missing draws: " in done.stdout
    assert ": 0, 1, 2, 3, 4" in done.stdout
    done = answer(answer_build, tmp_path / "c", "--limit", "1", "--draws", "3")
    assert done.exit_code == 0 and "mgld grade" not in done.stdout
    assert "a level needs 5 answers" in done.stdout


def test_killed_at_random_moments_no_draw_is_lost_and_none_twice(
    answer_build: Path, plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them, with real models: test_evaluate_answer_kills.py."""
    asked = settings(answer_build)
    answer_questions(asked, tmp_path / "whole")
    monkeypatch.setenv("PLAIN_SECONDS", "0.01")  # 0.5 s of answering
    there = kill_at_random(asked, tmp_path / "killed", plugin, kills=6)
    assert any(0 < number < 50 for number in there)
    expected = rows(tmp_path / "whole")
    for run in (tmp_path / "killed").iterdir():
        assert rows(run) == expected
