"""lmms-eval itself runs the task; what it counts is what `mgld grade` counts."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lmms_data import COLOURS, TASKS

from mgld.evaluate.answering import AnswerSettings, answer_questions
from mgld.evaluate.grading import grade_run
from mgld.evaluate.judges.base import load_judge
from mgld.evaluate.questions import open_questions
from mgld.evaluate.records import DRAWS, LEVELS, Decoding
from mgld.evaluate.run_metrics import RunMetrics
from mgld.integrations.lmms_eval.samples import export_answers


def _graded(answers: Path, data: Path, split: str, folder: Path) -> RunMetrics:
    settings = AnswerSettings(model=f"file:{answers}", data=str(data), split=split)
    counts = answer_questions(settings, folder)
    assert counts.missing == 0
    return grade_run(folder, load_judge("rule")).metrics


def _value(results: dict[str, Any], metric: str) -> Any:
    return results[f"{metric},five_draws"]


def test_the_command_line_counts_five_draws_as_mgld_grade_does(
    harness: Path, harness_env: dict[str, str], build: Path, tmp_path: Path
) -> None:
    log, cache = tmp_path / "requests.jsonl", tmp_path / "cache"
    done = subprocess.run(
        [
            *(harness / "lmms-eval", "--model", "scripted", "--model_args", f"log={log}"),
            *("--tasks", "mgld,mgld_paper", "--include_path", TASKS, "--use_cache", cache),
            *("--log_samples", "--output_path", tmp_path / "out"),
        ],
        env={**harness_env, "MGLD_REPO": str(build)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    # The harness's exit code is 0 whatever happens.
    assert "Error" not in done.stdout and "Traceback" not in done.stderr, done.stdout + done.stderr
    assert re.search(r"\|mgld +\|five_draws\| +0\|accuracy ", done.stdout), done.stdout
    (found,) = (tmp_path / "out").rglob("*_results.json")
    results = json.loads(found.read_text())["results"]

    for name, split in (("mgld", "test"), ("mgld_paper", "test_paper")):
        (samples,) = (tmp_path / "out").rglob(f"*_samples_{name}.jsonl")
        answers = tmp_path / f"{name}.jsonl"
        exported = export_answers(samples, answers)
        metrics = _graded(answers, build, split, tmp_path / name)
        levels = metrics.levels
        assert exported.questions == levels.total and exported.draws == DRAWS * levels.total
        # Exactly: the very same floating-point numbers.
        assert _value(results[name], "accuracy") == levels.accuracy
        assert _value(results[name], "unscored") == levels.unscored_share
        for level in LEVELS:
            assert _value(results[name], level) == levels.shares[level]
        # The first draws name nothing; what is known is so by the fourth and the fifth.
        assert all(levels.counts.values()) and levels.unscored, levels
        logged = [json.loads(line)["accuracy"]["level"] for line in samples.open()]
        assert {level: logged.count(level) for level in LEVELS} == levels.counts

    requests = [json.loads(line) for line in log.open()]
    of = {"mgld": open_questions(build), "mgld_paper": open_questions(build, split="test_paper")}
    for name, split in of.items():
        asked = [each.id for each in split.questions for _ in range(DRAWS)]
        assert [each["id"] for each in requests if each["task"] == name] == asked
    texts = {each.id: each.text for each in of["mgld"].questions}
    assert all(each["text"] == texts[each["id"]] for each in requests)
    assert all(each["size"] == [64, 48] and each["mode"] == "RGB" for each in requests)
    assert all(each["decoding"]["temperature"] == 0.7 for each in requests)
    with sqlite3.connect(cache / "cache.db") as kept:  # one draw kept would be all five next time
        assert kept.execute("SELECT count(*) FROM responses").fetchone() == (0,)


def test_a_real_model_sees_the_images_and_draws_five_times(
    harness: Path, hub_env: dict[str, str], build: Path, tmp_path: Path
) -> None:
    from tiny_vlm import make_tiny_vlm

    if not list(harness.parent.glob("lib/python*/site-packages/decord")):
        pytest.skip("the harness's LLaVA needs decord, which this machine has not")
    says = {"red": "Abbey of Varn 0", "green": "Some hill", "blue": "By a lake"}
    make_tiny_vlm(tmp_path / "model", says)
    llava = {
        "env": {"MGLD_REPO": str(build)},
        "task": "mgld",
        "model": "llava_hf",
        "model_args": f"pretrained={tmp_path / 'model'},device=cpu,device_map=cpu,dtype=float32,"
        "attn_implementation=sdpa",
        "batch_size": 1,
    }
    scripted = {**llava, "model": "scripted", "model_args": f"log={tmp_path / 'log'}"}
    dummy = {**llava, "model": "dummy", "model_args": "response=Abbey of Varn 0"}
    runs = [
        {**llava, "gen_kwargs": "temperature=0,max_new_tokens=24"},
        {**llava, "limit": 2, "gen_kwargs": "max_new_tokens=6"},
        {**scripted, "repeats": 3},
        {**scripted, "env": {"MGLD_REPO": str(tmp_path / "nothing")}},
        {**dummy, "env": {"MGLD_REPO": "me/mgld", "MGLD_REVISION": "v1"}},
        {**dummy, "env": {"MGLD_REPO": "me/mgld", "MGLD_REVISION": "v2"}},
        {**dummy, "env": {"MGLD_REPO": "me/nothing", "MGLD_REVISION": ""}},
    ]
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    script, found = Path(__file__).with_name("lmms_runs.py"), tmp_path / "found.json"
    done = subprocess.run(
        [harness / "python", script, tmp_path / "runs.json", found],
        env=hub_env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    greedy, drawn, thrice, nowhere, by_id, *no_id = json.loads(found.read_text())

    # At temperature 0 it says what its image's colour is, as it does when `mgld answer` asks it.
    own = AnswerSettings(
        model=f"hf:{tmp_path / 'model'}",
        data=str(build),
        decoding=Decoding(temperature=0.0, max_new_tokens=24),
    )
    answer_questions(own, tmp_path / "own")
    lines = (tmp_path / "own" / "answers.jsonl").open()
    ours = {(row["question_id"], row["draw"]): row["text"] for row in map(json.loads, lines)}
    theirs = {
        (each["question_id"], each["draw"]): each["text"]
        for sample in greedy["samples"]
        for each in sample["accuracy"]["answers"]
    }
    assert theirs == ours and set(theirs.values()) == {says[colour] for colour in COLOURS}
    assert _value(greedy["results"], "equal_draws") == 1.0

    assert len(drawn["samples"]) == 2 and _value(drawn["results"], "equal_draws") == 0.0
    for sample in drawn["samples"]:
        assert len({each["text"] for each in sample["accuracy"]["answers"]}) > 1

    # Refused before anything is asked.
    assert thrice["error"].startswith("ValueError: a level is said of 5 draws, not of 3")
    assert nowhere["error"].startswith("FileNotFoundError: there is no folder")
    assert not (tmp_path / "log").exists()

    # By its Hub id, and a version of it.
    assert _value(by_id["results"], "accuracy") == 1 / 10
    messages = [each["error"] for each in no_id]
    assert "v2" in messages[0] and "no dataset 'me/nothing' on the Hub" in messages[1], messages
