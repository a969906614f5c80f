"""`mgld answer --model eeca:DIR` as a whole, and `eeca generate`, which says the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eeca_ref.cli import main as eeca
from eeca_ref.under_test import load, model_folder
from mgld.cli import main as mgld
from mgld.evaluate.models.base import ModelOptions, load_model
from mgld.evaluate.questions import open_questions

DECODING = ("--temperature", "0.9", "--top-p", "0.95", "--max-new-tokens", "6", "--seed", "3")


def answer(build: Path, model: Path | str, out: Path, *more: str) -> Result:
    base = ["answer", "--model", f"eeca:{model}", "--data", str(build), "--out", str(out)]
    return CliRunner().invoke(mgld, [*base, *DECODING, "--device", "cpu", *more])


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def run(asked_build: Path, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    done = answer(asked_build, model_folder, out, "--batch-size", "4")
    assert done.exit_code == 0, done.output
    assert "50 draws of 10 questions = 50 answered" in done.stdout
    return out


def test_five_draws_that_differ(run: Path) -> None:
    made = rows(run)
    assert {(each["model"], each["status"]) for each in made} == {("eeca:lively", "ok")}
    assert len({each["seed"] for each in made}) == 50
    by_question: dict[str, set[str]] = {}
    for each in made:
        by_question.setdefault(each["question_id"], set()).add(each["text"])
    assert len(by_question) == 10
    assert all(len(texts) >= 4 for texts in by_question.values())


def test_a_killed_run_goes_on_to_the_same_answers(
    asked_build: Path, model_folder: Path, run: Path, tmp_path: Path
) -> None:
    again = tmp_path / "run"
    shutil.copytree(run, again)
    lines = (again / "answers.jsonl").read_bytes().split(b"\n")
    # killed within the second block, in the middle of a line
    (again / "answers.jsonl").write_bytes(b"\n".join(lines[:23]) + b"\n" + lines[23][:40])
    done = answer(asked_build, model_folder, again, "--batch-size", "4", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["before"] == 23
    key = lambda each: (each["question_id"], each["draw"])  # noqa: E731
    assert sorted(rows(again), key=key) == sorted(rows(run), key=key)


def test_generate_says_what_mgld_answer_says(
    asked_build: Path, model_folder: Path, run: Path, tmp_path: Path
) -> None:
    found = open_questions(asked_build)
    for question in (found.questions[0], found.questions[6]):
        photo = tmp_path / "photo.jpg"
        photo.write_bytes(found.read_image(question.id))
        asked = ["--image", str(photo), "--question", question.text, "--id", question.id]
        command = ["generate", str(model_folder), *asked, *DECODING, "--device", "cpu", "--json"]
        done = CliRunner().invoke(eeca, command)
        assert done.exit_code == 0, done.output
        made = [json.loads(line) for line in done.stdout.splitlines()]
        expected = [each for each in rows(run) if each["question_id"] == question.id]
        assert made == sorted(expected, key=lambda each: each["draw"])


def test_generate_asks_the_datasets_question_by_default(
    asked_build: Path, model_folder: Path, tmp_path: Path
) -> None:
    from mgld.annotate.questions import questions

    photo = tmp_path / "photo.jpg"
    found = open_questions(asked_build)
    photo.write_bytes(found.read_image(found.questions[0].id))

    def said(*more: str) -> str:
        command = ["generate", str(model_folder), "--image", str(photo), *DECODING]
        done = CliRunner().invoke(eeca, [*command, "--device", "cpu", "--draws", "2", *more])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert said() == said("--question", questions()[0].text)
    assert said() != said("--question", "Is it a lake?")
    assert [line[:3] for line in said().splitlines()] == ["1. ", "2. "]
    assert not said("--draws", "1").startswith("1. ")


def test_a_run_gives_its_model_its_name(model_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "stage3"
    options = ModelOptions(folder=tmp_path)
    run.mkdir()
    (run / "recipe.yaml").write_text("name: x\n")
    with pytest.raises(ValueError, match="a run that has no model yet"):
        load_model(f"eeca:{run}", options)
    checkpoint = run / "checkpoints" / "step-00000004" / "model"
    shutil.copytree(model_folder, checkpoint)
    assert load_model(f"eeca:{checkpoint}", options).id == "eeca:stage3/step-00000004"
    shutil.copytree(model_folder, run / "model")
    assert load_model(f"eeca:{run}", options).id == "eeca:stage3"
    assert load_model(f"eeca:{run}/model/", options).id == "eeca:stage3"
    assert load_model("eeca:owner/name", options).id == "eeca:owner/name"
    files = load(str(run), options).identity()
    assert files == load(str(model_folder), options).identity()


def test_what_is_no_model_is_refused(model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="which model"):
        load(" ", ModelOptions(folder=tmp_path))
    with pytest.raises(FileNotFoundError, match="holds no model"):
        model_folder_of(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llava"}')
    with pytest.raises(ValueError, match="type 'llava', not eeca; hf:"):
        model_folder_of(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="no configuration"):
        model_folder_of(tmp_path)
    done = CliRunner().invoke(
        eeca, ["export", str(model_folder), "--adapters", str(tmp_path / "adapters")]
    )
    assert done.exit_code == 0, done.output
    assert Path(done.stdout.strip()).name == "adapters.safetensors"
    with pytest.raises(ValueError, match="adapters alone"):
        model_folder_of(tmp_path / "adapters")


def model_folder_of(folder: Path) -> str:
    return model_folder(str(folder))


def test_weights_are_never_left_at_random(
    asked_build: Path, model_folder: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    damaged = tmp_path / "damaged"
    shutil.copytree(model_folder, damaged)
    weights = load_file(damaged / "model.safetensors")
    del weights["resampler.latents_QD"]
    save_file(weights, damaged / "model.safetensors", metadata={"format": "pt"})
    done = answer(asked_build, damaged, tmp_path / "run")
    assert done.exit_code == 1
    assert "lacks 1 of the model's weights: resampler.latents_QD" in done.output


def test_generate_with_an_image_that_is_none(model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"no image")
    done = CliRunner().invoke(
        eeca, ["generate", str(model_folder), "--image", str(tmp_path / "photo.jpg")]
    )
    assert done.exit_code == 1
    assert done.output.startswith("Error: ") and "photo.jpg" in done.output.splitlines()[0]
    missing = ["generate", str(model_folder), "--image", str(tmp_path / "none.jpg")]
    assert CliRunner().invoke(eeca, missing).exit_code == 2
