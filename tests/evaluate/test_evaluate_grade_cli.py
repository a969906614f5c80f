"""`mgld grade` and `mgld judge compare` against the loopback endpoint, and offline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from grading_data import write_run
from openai_server import LoopbackServer, start_server

from mgld.cli import main
from mgld.evaluate.graded import read_rows
from mgld.evaluate.records import Judged

MODEL = "gpt-4.1-2025-04-14"


@pytest.fixture(scope="module")
def running() -> Iterator[LoopbackServer]:
    with start_server() as server:
        yield server


@pytest.fixture
def server(running: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> LoopbackServer:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-abcdefghijklmnop-1234")
    monkeypatch.setattr("mgld.llm.limits.FIRST_BACKOFF", 0.01)
    running.set_faults({})
    running.reset()
    return running


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has tests of its own, and takes longer than all of this."""
    monkeypatch.setattr("mgld.report.evaluation.write_evaluation_report", lambda *_: None)


def call(*arguments: object, ok: bool = True) -> Result:
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert (result.exit_code == 0) is ok, result.output
    return result


def grade(run: Path, server: LoopbackServer, *more: object, spec: str = "", **options: Any):
    judge = f"openai:{MODEL}{spec}"
    return call("grade", run, "--judge", judge, "--base-url", server.url, *more, **options)


def levels(run: Path, slug: str) -> list[str]:
    return [row.verdict.level for row in read_rows(run / f"verdicts-{slug}.jsonl", Judged)]


def test_graded_once(tmp_path: Path, server: LoopbackServer) -> None:
    run = write_run(tmp_path / "run", 30)
    first = grade(run, server)
    assert "(" in first.output and " of 30 scored; 95 % interval" in first.output
    assert f"plain:a, judged by openai:{MODEL}:paper" in first.output
    assert f"as {MODEL}" in first.output and "replies of 20" in first.output
    assert "30 judged now, 0 before" in first.output
    billed = server.stats()["online"]
    again = grade(run, server)
    assert "0 judged now, 30 before" in again.output
    assert server.stats()["online"] == billed and set(billed.values()) == {1}
    assert len(set(levels(run, f"openai-{MODEL}-paper"))) == 4  # it plays all levels
    metrics = json.loads(grade(run, server, "--json").stdout)
    assert metrics == json.loads((run / f"metrics-openai-{MODEL}-paper.json").read_text())
    assert metrics["answered_by"] == {MODEL: 30} and metrics["levels"]["total"] == 30


def test_a_lost_verdict_file_is_not_paid_again(tmp_path: Path, server: LoopbackServer) -> None:
    run = write_run(tmp_path / "run", 12)
    grade(run, server)
    path = run / f"verdicts-openai-{MODEL}-paper.jsonl"
    before = sorted(path.read_bytes().splitlines())
    path.unlink()
    grade(run, server)
    assert sorted(path.read_bytes().splitlines()) == before
    assert set(server.stats()["online"].values()) == {1}


def test_faulty_replies_are_unscored_and_in_the_headline(
    tmp_path: Path, server: LoopbackServer
) -> None:
    """Judge failure must not change scores upward: what failed is no level, and is said."""
    peace, run = write_run(tmp_path / "peace", 60), write_run(tmp_path / "run", 60)
    grade(peace, server)
    faults = ("refusal", "content_filter", "empty", "wrong_schema", "half_json", "truncated_text")
    rules = [{"fault": fault, "share": 0.07} for fault in faults]
    server.set_faults({"rules": [*rules, {"fault": "status", "status": 400, "share": 0.05}]})
    output = grade(run, server).output
    slug = f"openai-{MODEL}-paper"
    right = {
        row.question_id: row.verdict.level
        for row in read_rows(peace / f"verdicts-{slug}.jsonl", Judged)
    }
    found = list(read_rows(run / f"verdicts-{slug}.jsonl", Judged))
    failed = [row for row in found if row.verdict.level == "unscored"]
    assert len(failed) > 10 and len(found) == 60
    for row in found:
        assert row.verdict.level in (right[row.question_id], "unscored")
    assert all(row.verdict.reason for row in failed)
    assert f"unscored {len(failed)} of 60" in output and "with them accuracy is between" in output
    for kind in ("refused", "no reply", "no valid reply"):
        assert any(line.startswith("unscored:") and kind in line for line in output.splitlines())
    # A fenced reply is one.
    server.set_faults({"rules": [{"fault": "fenced"}]})
    third = write_run(tmp_path / "third", 60)
    grade(third, server, "--api", "chat")
    assert "unscored" not in levels(third, slug)


def test_unscored_can_be_asked_again(tmp_path: Path, server: LoopbackServer) -> None:
    run = write_run(tmp_path / "run", 20)
    server.set_faults({"rules": [{"fault": "half_json", "share": 0.5}]})
    grade(run, server)
    failed = levels(run, f"openai-{MODEL}-paper").count("unscored")
    assert failed > 3
    server.set_faults({})
    assert "0 judged now" in grade(run, server).output
    output = grade(run, server, "--retry-unscored").output
    assert f"{failed} judged now" in output and "unscored 0" in output


def test_a_budget_stops_and_more_goes_on(tmp_path: Path, server: LoopbackServer) -> None:
    run = write_run(tmp_path / "run", 40)
    stopped = grade(run, server, "--max-usd", "0.06", "--concurrency", "1", ok=False)
    assert "the budget is used up" in stopped.output
    some = len(levels(run, f"openai-{MODEL}-paper"))
    assert 0 < some < 40
    assert not list(run.glob("metrics-*"))  # no numbers of a part
    output = grade(run, server, "--max-usd", "5").output
    assert f"{40 - some} judged now, {some} before" in output
    assert set(server.stats()["online"].values()) == {1}


def test_strict_and_where_the_protocols_differ(tmp_path: Path, server: LoopbackServer) -> None:
    run = write_run(tmp_path / "run", 30)
    grade(run, server)
    said = grade(run, server, spec=":strict").output
    # One kind of reason is one line, whichever draws it is about.
    assert said.count("unscored: ") == 1 and "claims without evidence decide the level\n" in said
    # What this endpoint quotes is in no answer.
    strict = levels(run, f"openai-{MODEL}-strict")
    assert set(strict) <= {"unscored", "unknown"} and "unscored" in strict
    both = f"openai:{MODEL},openai:{MODEL}:strict"
    output = call("judge", "compare", run, "--judges", both, "--top", 2).output
    assert "30 questions judged by both" in output and "kappa" in output
    assert output.count("  first:  ") == 2 and "more; --json has all" in output
    found = json.loads(call("judge", "compare", run, "--judges", both, "--json").stdout)
    assert found["first"]["judge"] == f"openai:{MODEL}:paper"
    slugs = f"openai-{MODEL}-paper,openai-{MODEL}-strict"
    assert json.loads(call("judge", "compare", run, "--judges", slugs, "--json").stdout) == found
    for wrong in ("rule", "rule,", "rule,openai:x,openai:y"):
        call("judge", "compare", run, "--judges", wrong, ok=False)


def test_the_rule_offline_and_first(tmp_path: Path, server: LoopbackServer) -> None:
    run = write_run(tmp_path / "run", 12)
    assert "accuracy 100.00% (12 of 12" in call("grade", run, "--judge", "rule").output
    output = grade(run, server, "--rule-first").output
    assert "decided by: rule 12" in output
    assert sum(server.stats()["online"].values()) == 0
    mixed = write_run(tmp_path / "mixed", 12, ["A lake.", "A lake.", "Water.", "Hm.", "Blue."])
    assert f"decided by: openai:{MODEL}:paper 12" in grade(mixed, server, "--rule-first").output


def test_what_is_done_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_page(run: Path, judge: str, page: Path) -> None:
        page.write_text(json.loads((run / f"metrics-{judge}.json").read_text())["inputs"])

    monkeypatch.setattr("mgld.report.evaluation.write_evaluation_report", write_page)
    run = write_run(tmp_path / "run", 3)
    call("grade", run, "--judge", "rule")

    def written() -> dict[str, tuple[int, int]]:
        kept = (path for path in run.iterdir() if path.suffix != ".lock")
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in kept}

    before = written()
    assert before.keys() >= {"report.html", "verdicts-rule.jsonl", "metrics-rule.json"}
    call("grade", run, "--judge", "rule")
    assert written() == before


def test_a_majority(tmp_path: Path, server: LoopbackServer) -> None:
    run = write_run(tmp_path / "run", 20)
    members = f"majority:rule,openai:{MODEL},openai:gpt-4.1-mini"
    output = call("grade", run, "--judge", members, "--base-url", server.url).output
    assert "all members agree on " in output and "of the 20 questions" in output
    slug = f"majority-rule+openai-{MODEL}-paper+openai-gpt-4.1-mini-paper"
    (verdict, *_) = read_rows(run / f"verdicts-{slug}.jsonl", Judged)
    assert len(verdict.verdict.votes) == 3


def test_there_must_be_a_judge(tmp_path: Path) -> None:
    """A judge that is not named is not taken to be the model under test, nor any other one."""
    run = write_run(tmp_path / "run", 1)
    assert "Missing option '--judge'" in call("grade", run, ok=False).output
    assert "no judge is called 'gpt-4o'" in call("grade", run, "--judge", "gpt-4o", ok=False).output
    assert not list(run.glob("verdicts*"))


def test_a_model_that_grades_itself_is_said(tmp_path: Path, server: LoopbackServer) -> None:
    run = write_run(tmp_path / "run", 3, model=f"openai:{MODEL}")
    assert "it grades itself" in grade(run, server).output


def test_what_an_endpoint_says_does_not_reach_the_terminal(
    tmp_path: Path, server: LoopbackServer
) -> None:
    run = write_run(tmp_path / "run", 2, model="\x1b[31mred")
    output = grade(run, server).output
    assert "\x1b" not in output and "?[31mred" in output


def test_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    run = write_run(tmp_path / "run", 2)
    assert "no API key" in call("grade", run, "--judge", "openai:gpt-4.1", ok=False).output
