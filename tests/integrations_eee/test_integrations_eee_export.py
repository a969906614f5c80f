"""`mgld export every-eval-ever`: numbers of the run, where the datastore wants them, or nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mgld.cli import main
from mgld.evaluate.grading import grade_run
from mgld.evaluate.records import LEVELS, Verdict
from mgld.evaluate.run_metrics import RunMetrics

SAID = ("--organization", "Test Group", "--relationship", "third_party")
NAMED = (*SAID, "--model-id", "tests/made-up:v1")


def export(run: Path, out: Path, *more: str, ok: bool = True) -> str:
    words = ["export", "every-eval-ever", str(run), "--out", str(out), *more]
    result = CliRunner().invoke(main, words)
    assert (result.exit_code == 0) is ok, result.output
    assert ok or not out.exists()  # nothing half-written
    return result.output


def read(out: Path) -> tuple[Path, dict[str, Any], list[dict[str, Any]]]:
    (path,) = out.glob("data/mgld/*/*/*[0-9a-f].json")
    rows = path.with_name(f"{path.stem}_samples.jsonl").read_text().splitlines()
    return path, json.loads(path.read_text()), [json.loads(row) for row in rows]


def metrics(run: Path, judge: str = "rule") -> RunMetrics:
    return RunMetrics.model_validate_json((run / f"metrics-{judge}.json").read_bytes())


def results(record: dict[str, Any]) -> dict[str, Any]:
    return {each["evaluation_result_id"]: each for each in record["evaluation_results"]}


def test_every_number_is_the_runs(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out", *NAMED)
    _, record, rows = read(tmp_path / "out")
    found, ours = results(record), metrics(run)
    scores = {name: each["score_details"]["score"] for name, each in found.items()}
    assert ours.draws is not None
    assert scores.pop("mgld.knowledge_level") == pytest.approx(
        sum(row["evaluation"]["score"] for row in rows) / len(rows)
    )
    assert scores == {
        "mgld.accuracy": ours.levels.accuracy,
        **{f"mgld.{level}_share": ours.levels.shares[level] for level in LEVELS},
        "mgld.unscored_share": ours.levels.unscored_share,
        "mgld.pass_at_1": ours.draws.pass_at_1,
        "mgld.pass_at_5": ours.draws.pass_at_5,
    }
    intervals = {
        name: each["score_details"]["uncertainty"].get("confidence_interval")
        for name, each in found.items()
    }
    assert intervals["mgld.accuracy"] == {
        "lower": ours.levels.accuracy_interval.low,
        "upper": ours.levels.accuracy_interval.high,
        "confidence_level": 0.95,
        "method": ours.levels.accuracy_interval.method,
    }
    assert intervals["mgld.pass_at_1"]["lower"] == ours.draws.pass_at_1_interval.low
    level = found["mgld.knowledge_level"]["metric_config"]
    assert level["score_type"] == "levels" and level["level_names"] == list(reversed(LEVELS))
    details = found["mgld.accuracy"]["metric_config"]["additional_details"]
    assert details["judge"] == "rule" and details["judge_prompt_hash"] == ours.prompt_hash


def test_a_row_for_each_question(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out", *NAMED)
    path, record, rows = read(tmp_path / "out")
    said = record["detailed_evaluation_results"]
    samples = path.with_name(f"{path.stem}_samples.jsonl")
    assert said["checksum"] == hashlib.sha256(samples.read_bytes()).hexdigest()
    assert said["total_rows"] == len(rows) == 10
    assert tmp_path / "out" / said["file_path"] == samples
    assert path.parent == tmp_path / "out/data/mgld/tests/made-up_v1"
    names = record["evaluation_results"][0]["metric_config"]["level_names"]
    recognised = 0
    for number, row in enumerate(rows):
        assert len(row["output"]["raw"]) == 5 and row["input"]["reference"]
        assert names[row["evaluation"]["score"]] == row["metadata"]["level"]
        recognised += row["evaluation"]["is_correct"]
        assert [each["source"] for each in row["answer_attribution"]] == [
            f"output.raw[{draw}]" for draw in range(number % 3)
        ]
    assert recognised == metrics(run).levels.recognised == 6
    (failed,) = [row for row in rows if "error" in row]
    assert failed["error"] == "draw 4 error: timeout"
    assert len({row["sample_hash"] for row in rows}) == 10


def test_provenance(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out", *NAMED)
    _, record, _ = read(tmp_path / "out")
    text = json.dumps(record)
    assert str(tmp_path.parent) not in text  # where things lay is nobody's business
    result = record["evaluation_results"][0]
    assert result["source_data"]["source_type"] == "other"
    assert result["source_data"]["additional_details"]["folder"] == "build"
    assert len(result["source_data"]["additional_details"]["questions_sha256"]) == 64
    # Of answers from a file it is not known how they were made, and nothing is claimed.
    assert result["generation_config"]["generation_args"] == {"temperature": None, "top_p": None}
    assert record["model_info"]["additional_details"]["identity_sha256"]
    assert record["eval_library"]["name"] == "mgld"


def test_a_run_on_the_hub_and_a_model_as_judge(run: Path, tmp_path: Path) -> None:
    class Made:
        id, prompt_hash = "majority:openai:gpt-4.1:paper,openai:o9:strict,rule", "p" * 16

        def judge(self, cases: Any, on_verdict: Any) -> None:
            for row, _ in enumerate(cases):
                level = "unscored" if row == 0 else LEVELS[row % 4]
                on_verdict(
                    row,
                    Verdict(
                        level=level,
                        explanation="",
                        judge=self.id,
                        prompt_hash=self.prompt_hash,
                        reason="no reply: HTTP 500" if row == 0 else "",
                        date="2026-11-29",
                    ),
                )

    graded = grade_run(run, Made())  # type: ignore[arg-type]
    made = run / "run.yaml"
    text = made.read_text().replace("model_id: file:said.jsonl", "model_id: hf:acme/vlm")
    source = next(line for line in text.splitlines() if line.startswith("  source:"))
    text = text.replace(source, "  source: acme/mgld").replace("model: file:", "model: hf:")
    made.write_text(text)
    export(run, tmp_path / "out", *SAID, "--judge", Made.id)
    path, record, rows = read(tmp_path / "out")
    assert path.parent == tmp_path / "out/data/mgld/acme/vlm"
    details = record["model_info"]["additional_details"]
    assert details["deployment_type"] == "self_deployed"
    assert details["model_availability"] == "open_weights"
    result = results(record)["mgld.accuracy"]
    assert result["source_data"]["hf_repo"] == "acme/mgld"
    scoring = result["metric_config"]["llm_scoring"]
    assert [each["model_info"]["id"] for each in scoring["judges"]] == ["gpt-4.1", "o9"]
    assert scoring["aggregation_method"] == "majority_vote"
    assert scoring["input_prompt"].count("# ") == 0 and "{response_1}" in scoring["input_prompt"]
    assert "mgld.pass_at_1" not in results(record)  # it does not look at each draw
    assert rows[0]["evaluation"] == {"score": -1, "is_correct": False}
    assert rows[0]["metadata"]["unscored_because"] == "no reply: HTTP 500"
    assert graded.metrics.levels.unscored == 1
    unscored = results(record)["mgld.unscored_share"]["score_details"]
    assert unscored["score"] == 0.1 and unscored["details"]["reason: no reply"] == "1"


def test_exported_again_it_replaces_itself(run: Path, tmp_path: Path) -> None:
    for _ in range(2):
        export(run, tmp_path / "out", *NAMED)
    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == 2


@pytest.mark.parametrize(
    "id", ["flat", "../..", "a/../../b", "data/x", "a b/c", "a/b.", "/a", "a/"]
)
def test_ids_that_name_no_folder(run: Path, tmp_path: Path, id: str) -> None:
    said = export(run, tmp_path / "out", *SAID, "--model-id", id, ok=False)
    assert "say --model-id DEVELOPER/NAME" in said


def test_what_cannot_be_exported(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "say --model-id" in export(run, out, *SAID, ok=False)
    said = export(run, out, *NAMED, "--judge", "openai:gpt-4.1", ok=False)
    assert "has no verdicts of openai:gpt-4.1" in said and "it has: rule" in said
    (run / "metrics-rule.json").unlink()
    assert "`mgld grade" in export(run, out, *NAMED, ok=False)
    (run / "verdicts-rule.jsonl").unlink()
    assert "`mgld grade` has one judge them" in export(run, out, *NAMED, ok=False)
    assert "no folder of a run" in export(tmp_path / "nowhere", out, *NAMED, ok=False)
    words = ["export", "every-eval-ever", str(run), "--out", str(out)]
    assert CliRunner().invoke(main, words).exit_code == 2


def test_nothing_scored(run: Path, tmp_path: Path) -> None:
    class Silent:
        id, prompt_hash = "silent", "p" * 16

        def judge(self, cases: Any, on_verdict: Any) -> None:
            for row, _ in enumerate(cases):
                known = {"explanation": "", "judge": self.id, "prompt_hash": self.prompt_hash}
                on_verdict(row, Verdict(level="unscored", reason="no reply", **known))

    grade_run(run, Silent())  # type: ignore[arg-type]
    said = export(run, tmp_path / "out", *NAMED, "--judge", "silent", ok=False)
    assert "silent scored nothing" in said
