"""The task run for real with inspect's mock model: five draws are five, numbers are ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from inspect_data import (
    Mock,
    answers,
    cli,
    expected,
    graded,
    levels,
    numbers,
    output,
    run,
)

from mgld.evaluate.models.base import Asked
from mgld.evaluate.questions import open_questions
from mgld.evaluate.records import LEVELS, Decoding, Question

NAMES = "This is {}, seen from the south."


def third_time(question: Question, number: int) -> str:
    """The third draw alone names the landmark."""
    name = question.truth.name if number == 2 else f"somewhere else, {number}"
    return NAMES.format(name)


def mixed(question: Question, number: int) -> str:
    """Every level among the questions, and draws that all differ."""
    kind = question.landmark_id // 6 % 4
    if number in range(*((0, 3), (1, 2), (0, 0), (0, 0))[kind]):
        return NAMES.format(question.truth.name)
    if kind == 2 and question.truth.place_hints:
        return f"A place in {question.truth.place_hints[0]}, {number}."
    return f"An old building, view {number}. " + "It stands by the water. " * 10


def test_five_draws_are_five(build: Path, tmp_path: Path) -> None:
    """If one draw stood for all, levels would be strongly_known or unknown, never known."""
    mock = Mock(build, third_time)
    log = run(build, mock, tmp_path)
    found = numbers(log)
    assert set(mock.asked.values()) == {5} and len(mock.asked) == 10
    assert levels(log) == ["known"] * 10
    assert (found["accuracy"], found["pass_at_1"], found["pass_at_5"]) == (1.0, 0.2, 1.0)
    for config in mock.configs:  # as `mgld answer` sends it
        sent = (config.temperature, config.top_p, config.max_tokens, config.seed)
        assert sent == (0.7, 1.0, 256, None)
    for rows in answers(log).values():
        assert len({row["text"] for row in rows}) == 5
        assert [row["draw"] for row in rows] == [0, 1, 2, 3, 4]


def test_numbers_are_those_of_mgld_grade(build: Path, tmp_path: Path) -> None:
    log = run(build, Mock(build, mixed), tmp_path / "logs")
    metrics = graded(log, build, tmp_path / "run")
    assert numbers(log) == expected(metrics)  # to the last bit
    assert metrics["models"] == ["inspect:mockllm/model"]
    assert {"strongly_known", "known", "unknown"} <= set(levels(log)) <= set(LEVELS)


def test_of_some_questions(build: Path, tmp_path: Path) -> None:
    log = run(build, Mock(build, mixed), tmp_path / "logs", task={"split": "test_paper"}, limit=4)
    metrics = graded(log, build, tmp_path / "run", "--split", "test_paper", "--limit", 4)
    assert numbers(log) == expected(metrics) and metrics["levels"]["total"] == 4


def test_a_cache_keeps_the_draws_apart(build: Path, tmp_path: Path) -> None:
    """However it is turned on: five cached answers to one question once were one answer."""
    first = run(build, Mock(build, mixed), tmp_path, cache=True)
    silent = Mock(build, lambda question, number: pytest.fail("it is in the cache"))
    second = run(build, silent, tmp_path, cache=True)
    assert numbers(second) == numbers(first) and not silent.asked
    for id, rows in answers(second).items():
        said = [row["text"] for row in rows]
        assert sorted(said) == sorted(row["text"] for row in answers(first)[id])
    distinct = {len({row["text"] for row in rows}) for rows in answers(second).values()}
    assert max(distinct) == 5 and min(distinct) >= 3  # as many as were made


def test_decoding_is_that_of_the_command_line(build: Path, tmp_path: Path) -> None:
    """What inspect's own options change is in each answer, and `mgld answer` is held to it."""
    log = run(build, Mock(build, mixed), tmp_path / "logs", limit=1, temperature=0.2)
    for rows in answers(log).values():
        assert all(row["decoding"]["temperature"] == 0.2 for row in rows)
    answer = ("answer", "--model", f"inspect:{log.location}", "--data", build, "--limit", 1)
    said = cli(*answer, "--out", tmp_path / "run", ok=False).output
    assert '"temperature":0.2' in said and "say the same" in said
    cli(*answer, "--out", tmp_path / "warm", "--temperature", 0.2)


def test_each_draw_has_a_seed_of_its_own(build: Path, tmp_path: Path) -> None:
    mock = Mock(build, mixed)
    log = run(build, mock, tmp_path, task={"seed": 3}, limit=1)
    (question,) = open_questions(build, limit=1).questions
    asked = Asked(question, "", question.text, "p", Decoding(), (), 5, seed=3)
    wanted = [asked.draw_seed(draw) for draw in range(5)]
    assert sorted(config.seed for config in mock.configs) == sorted(wanted)
    assert [row["seed"] for row in answers(log)[question.id]] == wanted
    shared = run(build, Mock(build, mixed), tmp_path, seed=3, limit=1)
    assert shared.status == "error" and shared.error is not None
    assert "-T seed=N" in shared.error.message


def test_what_a_draw_can_come_to(build: Path, tmp_path: Path) -> None:
    """As `mgld answer` tells them apart: silence answers, a filter refuses, an error is one."""
    said = [
        output("This is", "max_tokens"),
        output(""),
        output("", "content_filter"),
        output("", "unknown", error="overloaded"),
        output("half a \ud800 pair"),
    ]
    log = run(build, Mock(build, lambda question, number: said[number]), tmp_path, limit=1)
    (rows,) = answers(log).values()
    states = sorted((row["status"], row["text"], row["reason"]) for row in rows)
    assert states == [
        ("error", "", "overloaded"),
        ("ok", "", ""),
        ("ok", "This is", ""),
        ("ok", "half a \ufffd\ufffd\ufffd pair", ""),
        ("refused", "", "stopped by a content filter"),
    ]
    assert [row["text"] for row in rows if row["details"].get("truncated")] == ["This is"]


def test_a_question_that_names_its_landmark_is_unscored(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unscored samples stay in the denominator of the unscored share and in no other."""
    from mgld.evaluate.judges.rule import RuleJudge

    judge = RuleJudge.judge

    def some(self, cases, on_verdict):  # type: ignore[no-untyped-def]
        def write(row, verdict):  # type: ignore[no-untyped-def]
            unscored = {"level": "unscored", "reason": "made up", "identified": None}
            odd = cases[row].question.landmark_id % 12
            on_verdict(row, verdict if odd else verdict.model_copy(update=unscored))

        judge(self, cases, write)

    monkeypatch.setattr(RuleJudge, "judge", some)
    log = run(build, Mock(build, third_time), tmp_path / "logs")
    found = numbers(log)
    assert (found["questions"], found["scored"], found["unscored_share"]) == (10, 5, 0.5)
    assert (found["accuracy"], found["worst"], found["best"]) == (1.0, 0.5, 1.0)
    assert found == expected(graded(log, build, tmp_path / "run"))


OFFLINE = """
import sys
from inspect_ai.model._providers.mockllm import MockLLM
async def count(self, *_): return 1  # else it downloads tables of tokens
MockLLM.count_text_tokens = MockLLM.count_tokens = count
from inspect_ai._cli.main import main
sys.argv = ["inspect", *sys.argv[1:]]
main()
"""


def test_the_command_line(build: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-c", OFFLINE, "eval", "mgld/mgld", "-T", f"data={build}"]
    words += ["--model", "mockllm/model", "--limit", "2", "--log-dir", "logs", "--display", "plain"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = dict(re.findall(r"^(\w+) +([\d.]+) *$", done.stdout, re.MULTILINE))
    assert printed["unknown"] == "1.000" and printed["questions"] == "2.000"
    (log,) = (tmp_path / "logs").glob("*.eval")
    out = tmp_path / "run"
    cli("answer", "--model", f"inspect:{log}", "--data", build, "--limit", 2, "--out", out)
    assert "accuracy 0.00% (0 of 2 scored" in cli("grade", out, "--judge", "rule").output
