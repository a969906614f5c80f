"""Bad input: wrong calls of the task, files that are no log, logs of something else."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from inspect_data import Mock, cli, run

NOTHING = ("answers.jsonl", "run.yaml", "questions.jsonl")


def says(question: Any, number: int) -> str:
    return f"A picture, {number}."


def refused(log: Any, data: Path, out: Path, *more: object) -> str:
    """What `mgld answer` says; it leaves no answers, as nothing of the log may be taken."""
    words = ("answer", "--model", f"inspect:{log}", "--data", data, "--out", out, *more)
    said = cli(*words, ok=False).output
    answers = out / "answers.jsonl"
    assert not answers.exists() or not answers.read_bytes()
    return said


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"judge": "gpt-4o"}, "no judge is called 'gpt-4o'"),
        ({"split": "train"}, "train"),
        ({"data": "/nowhere/at/all"}, "there is no folder"),
        ({"revision": "v1"}, "has no revision"),
        ({"data": ""}, "say -T data=FOLDER"),
    ],
)
def test_wrong_calls(build: Path, tmp_path: Path, task: dict[str, Any], said: str) -> None:
    mock = Mock(build, says)
    with pytest.raises((ValueError, OSError), match=said):
        run(build, mock, tmp_path, task=task)
    assert not mock.asked


def test_a_dataset_without_questions(build: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(build / "dataset", tmp_path / "other")
    card = tmp_path / "other" / "README.md"
    card.write_text(card.read_text().replace("config_name: eval", "config_name: asked"))
    with pytest.raises(ValueError, match="eval"):
        run(tmp_path / "other", Mock(build, says), tmp_path)


def test_epochs_would_count_questions_twice(build: Path, tmp_path: Path) -> None:
    log = run(build, Mock(build, says), tmp_path, epochs=2, limit=1)
    assert log.status == "error" and log.error is not None
    assert "leave --epochs away" in log.error.message


def test_files_that_are_no_log(build: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert "there is no file" in refused(tmp_path / "nothing.eval", build, out)
    for name, data in (("a.eval", b"PK\x03\x04 no"), ("b.eval", b""), ("c.json", b'{"x": 1}')):
        (tmp_path / name).write_bytes(data)
        assert "is no log of inspect" in refused(tmp_path / name, build, out)
    with zipfile.ZipFile(tmp_path / "d.eval", "w") as archive:
        archive.writestr("header.json", "[]")
    assert "is no log of inspect" in refused(tmp_path / "d.eval", build, out)
    (tmp_path / "e.txt").write_text("hello")
    assert "is no log of inspect" in refused(tmp_path / "e.txt", build, out)
    assert not out.exists()


def test_a_log_of_another_task(build: Path, tmp_path: Path) -> None:
    from inspect_ai import Task
    from inspect_ai import eval as run_eval
    from inspect_ai.dataset import Sample

    (log,) = run_eval(
        Task(dataset=[Sample("hello")], solver=[]),
        model="mockllm/model",
        log_dir=str(tmp_path),
        display="none",
    )
    assert "not of mgld/mgld" in refused(log.location, build, tmp_path / "run")


def test_a_log_about_other_questions(build: Path, tmp_path: Path) -> None:
    log = run(build, Mock(build, says), tmp_path / "logs", limit=3)
    said = refused(log.location, build, tmp_path / "a", "--limit", 2)
    assert "1 of its samples are about no question" in said
    said = refused(log.location, build, tmp_path / "b", "--entity-prompt", "ask")
    assert "was asked with prompt question-" in said


def test_samples_that_failed_are_missing(build: Path, tmp_path: Path) -> None:
    """What inspect leaves out of its numbers does not become a level here, nor go unsaid."""

    def fails(question: Any, number: int) -> str:
        if question.landmark_id == 12:
            raise RuntimeError("no connection")
        return says(question, number)

    log = run(build, Mock(build, fails), tmp_path / "logs", fail_on_error=False)
    out = tmp_path / "run"
    words = ("answer", "--model", f"inspect:{log.location}", "--data", build, "--out", out)
    assert "5 missing" in cli(*words, ok=False).output
    assert "fewer than 5" in cli("grade", out, "--judge", "rule", ok=False).output


def test_it_goes_on(build: Path, tmp_path: Path) -> None:
    log = run(build, Mock(build, says), tmp_path / "logs")
    out = tmp_path / "run"
    words = ("answer", "--model", f"inspect:{log.location}", "--data", build, "--out", out)
    cli(*words)
    lines = (out / "answers.jsonl").read_bytes().splitlines(keepends=True)
    (out / "answers.jsonl").write_bytes(b"".join(lines[:7]) + lines[7][:9])
    assert "50 answered" in cli(*words).output
    assert sorted((out / "answers.jsonl").read_bytes().splitlines(keepends=True)) == sorted(lines)
