"""Questions of a split, from a build or a dataset folder, and their images."""

from __future__ import annotations

from pathlib import Path

import pytest
from answer_data import QUESTIONS
from hub_build import jpeg, landmark_name

from mgld.evaluate import questions as module
from mgld.evaluate.questions import (
    load_questions,
    open_questions,
    read_questions,
    save_questions,
)


def test_a_build_and_its_dataset_give_the_same_questions(answer_build: Path) -> None:
    questions = load_questions(answer_build)
    assert len(questions) == QUESTIONS
    assert questions == load_questions(answer_build / "dataset")
    assert load_questions(str(answer_build), "test_paper") == questions[: QUESTIONS // 2]


def test_a_question_says_what_the_dataset_says(answer_build: Path) -> None:
    asked = next(each for each in load_questions(answer_build) if each.landmark_id == 18)
    assert asked.text == "What is this, 18?"
    assert asked.truth.name == landmark_name(18)
    assert asked.truth.answer == f"{landmark_name(18)}, seen by day."
    assert (asked.truth.aliases, asked.truth.place_hints) == (["Varn 18"], ["Solmere"])
    assert asked.entities == ["blue walls", "grey roof", "18 windows"]
    assert (asked.rank, asked.images, asked.natural_or_human_made) == (19, 19, None)


def test_images_are_the_original_files_and_read_one_by_one(answer_build: Path) -> None:
    found = open_questions(answer_build)
    for question in found.questions:
        assert found.read_image(question.id) == jpeg(question.landmark_id)
    with pytest.raises(KeyError):
        found.read_image("none")


def test_records_of_a_subset_are_questions_too(answer_build: Path) -> None:
    found = open_questions(answer_build, config="hds10", split="train", limit=4)
    assert len(found.questions) == 4 and found.identity.questions == 4
    first = found.questions[0]
    assert first.text == f"What is this, {first.landmark_id}?"
    assert first.truth.answer.endswith(", seen by day.")
    assert found.read_image(first.id) == jpeg(first.landmark_id)


def test_a_dataset_without_the_number_of_images_gives_none(
    answer_build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = module._load
    monkeypatch.setattr(module, "_load", lambda *a: load(*a).remove_columns("landmark_images"))
    assert {each.images for each in load_questions(answer_build)} == {None}


def test_what_is_not_there_is_said(answer_build: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no split 'dev'"):
        load_questions(answer_build, "dev")
    with pytest.raises(FileNotFoundError):
        load_questions(tmp_path / "none")


def test_an_id_that_occurs_twice_is_refused(
    answer_build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = module._load
    monkeypatch.setattr(module, "_load", lambda *a: load(*a).select([0, 1, 0]))
    with pytest.raises(ValueError, match="an id twice"):
        load_questions(answer_build)


def test_saved_questions_are_bound_to_their_hash(answer_build: Path, tmp_path: Path) -> None:
    found = open_questions(answer_build)
    path = tmp_path / "questions.jsonl"
    save_questions(found.questions, path)
    assert read_questions(path, sha256=found.identity.questions_sha256) == found.questions
    path.write_text(path.read_text().replace("Solmere", "Solmore"))
    with pytest.raises(ValueError, match="its hash differs"):
        read_questions(path, sha256=found.identity.questions_sha256)
