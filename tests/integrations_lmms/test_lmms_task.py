"""What the task's functions do, without the harness; and what they refuse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from lmms_data import ROOT, TASKS

import mgld
from mgld.evaluate.answer_prompts import render
from mgld.evaluate.models.file import FileModel
from mgld.evaluate.questions import open_questions
from mgld.evaluate.records import DRAWS, Decoding
from mgld.gldv2.decode import decode_image
from mgld.integrations.lmms_eval import task
from mgld.integrations.lmms_eval.dataset import dataset_path
from mgld.integrations.lmms_eval.samples import export_answers


def _yaml(name: str) -> dict[str, Any]:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
    config: dict[str, Any] = yaml.load((TASKS / name).read_text(), Loader)
    return config


def test_a_question_is_put_as_mgld_answer_puts_it(build: Path) -> None:
    asked = open_questions(build)
    docs = task.keep_image_files(mgld.load(build, "eval", split="test"))
    assert len(docs) == len(asked.questions)
    for doc, question in zip(docs, asked.questions, strict=True):
        assert task.doc_to_text(doc) == render("question", question).text
        (image,) = task.doc_to_visual(doc)
        own = decode_image(asked.read_image(question.id)).image
        assert (image.size, image.mode) == (own.size, own.mode) == ((64, 48), "RGB")
        assert image.tobytes() == own.tobytes()


def test_the_decoding_is_that_of_mgld_answer() -> None:
    asked = _yaml("mgld.yaml")
    decoding = dict(asked["generation_kwargs"])
    assert Decoding(**{name: decoding.pop(name) for name in Decoding.model_fields}) == Decoding()
    assert decoding == {"do_sample": True, "num_beams": 1, "until": []}
    assert asked["repeats"] == DRAWS


def test_five_draws_are_five() -> None:
    assert task.FiveDraws().apply(iter([("a", "b", "c", "d", "e")]), None) == [list("abcde")]
    for wrong in (["a"], list("abcdef")):
        with pytest.raises(ValueError, match=rf"5 draws, and lmms-eval made {len(wrong)}"):
            task.FiveDraws().apply([wrong], None)


def _doc(build: Path) -> dict[str, Any]:
    row: dict[str, Any] = mgld.load(build, "eval", split="test")[0]
    return row


def test_a_failed_request_is_no_answer(build: Path) -> None:
    doc = _doc(build)
    failed = "[LMMS_EVAL_REQUEST_FAILED after 5 retries] Abbey of Varn 0"
    found = task.process_results(doc, [failed, "[LMMS_EVAL_BUDGET_EXCEEDED]", "x", "y", "z"])
    assert found["accuracy"]["level"] == "unknown" and found["accuracy"]["score"] == 0
    answers = found["accuracy"]["answers"]
    assert [each["status"] for each in answers] == ["error", "error", "ok", "ok", "ok"]
    assert answers[0]["reason"] == failed and answers[0]["text"] == ""
    nothing = task.process_results(doc, [failed] * DRAWS)
    assert nothing["accuracy"]["level"] == "unscored"
    assert "score" not in nothing["accuracy"] and "score" not in nothing["unknown"]
    assert nothing["unscored"]["score"] == 1


def test_shares_are_of_the_scored(build: Path) -> None:
    doc, failed = _doc(build), "[LMMS_EVAL_REQUEST_FAILED after 5 retries] x"
    rows = [task.process_results(doc, [text] * DRAWS) for text in ("Abbey of Varn 0", "?", failed)]
    assert task.accuracy([row["accuracy"] for row in rows]) == 0.5
    assert task.strongly_known([row["strongly_known"] for row in rows]) == 0.5
    assert task.unknown([row["unknown"] for row in rows]) == 0.5
    assert task.unscored([row["unscored"] for row in rows]) == 1 / 3
    assert task.equal_draws([row["equal_draws"] for row in rows]) == 1.0
    none = task.accuracy([rows[2]["accuracy"]])
    assert none != none  # NaN: nothing is scored


# The dataset.


def test_the_dataset_is_named_by_the_environment(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (build, build / "dataset"):
        monkeypatch.setenv("MGLD_REPO", str(folder))
        assert dataset_path() == str((build / "dataset").resolve())


def test_no_dataset(build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MGLD_REPO", raising=False)
    with pytest.raises(ValueError, match="which dataset\\? set MGLD_REPO"):
        dataset_path()
    monkeypatch.setenv("MGLD_REPO", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        dataset_path()
    monkeypatch.setenv("MGLD_REPO", str(build))
    monkeypatch.setenv("MGLD_REVISION", "v1")
    with pytest.raises(ValueError, match="is a folder and has no revision"):
        dataset_path()


def test_a_dataset_without_questions(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "dataset"
    shutil.copytree(build / "dataset", other)
    card = (other / "README.md").read_text()
    assert "config_name: eval" in card
    (other / "README.md").write_text(card.replace("config_name: eval", "config_name: questions"))
    monkeypatch.setenv("MGLD_REPO", str(other))
    with pytest.raises(ValueError, match=r"no config 'eval' in .*; there are: .*questions"):
        dataset_path()


# The answers as a file.


def _sample(question: str, draws: int = DRAWS, **answer: Any) -> str:
    answers = [
        {"question_id": question, "draw": draw, "text": f"{draw}", **answer}
        for draw in range(draws)
    ]
    return json.dumps({"doc_id": 0, "accuracy": {"answers": answers}}) + "\n"


def test_answers_of_logged_samples(tmp_path: Path) -> None:
    samples, out = tmp_path / "samples.jsonl", tmp_path / "answers.jsonl"
    failed = _sample("b", status="error", reason="no route", text="")
    samples.write_text(_sample("a") + failed)
    assert export_answers(samples, out) == (2, 10, 5)
    FileModel(str(out))
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["question_id"], row["draw"], row["status"]) for row in rows] == [
        *(("a", draw, "ok") for draw in range(DRAWS)),
        *(("b", draw, "error") for draw in range(DRAWS)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ('{"doc_id": 0, "filtered_resps": ["a"]}\n', "line 1 is no sample of the task mgld"),
        ('{"doc_id": 0, "accuracy": 0.5}\n', "line 1 is no sample of the task mgld"),
        ("no JSON\n", "line 1 is no sample of the task mgld"),
        (_sample("a", draws=1), "line 1 has not the 5 draws"),
        (_sample("a") + _sample("a"), "line 2: a is there a second time"),
    ],
)
def test_what_is_no_log_of_the_task(text: str, message: str, tmp_path: Path) -> None:
    samples, out = tmp_path / "samples.jsonl", tmp_path / "answers.jsonl"
    samples.write_text(text)
    with pytest.raises(ValueError, match=message):
        export_answers(samples, out)
    assert not out.exists()


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}

    def call(*words: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "mgld.integrations.lmms_eval", *words]
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        return done.returncode, done.stdout, done.stderr

    assert call() == (0, f"{TASKS}\n", "")
    missing = call("answers", "none.jsonl", "out.jsonl")
    assert missing == (1, "", "Error: there is no file none.jsonl\n")
    (tmp_path / "mgld").mkdir()
    status, path, warning = call()
    assert (status, path) == (0, f"{TASKS}\n") and "run it in another folder" in warning
