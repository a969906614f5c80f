"""Which model a name means: built-in ones, and what an installed package brings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from answer_data import rows, settings

from mgld.evaluate.answering import answer_questions
from mgld.evaluate.models import ModelOptions, load_model


def test_an_installed_package_brings_a_model(plugin: Path, tmp_path: Path) -> None:
    model = load_model("plain:some/folder", ModelOptions(tmp_path, device="cpu"))
    assert model.id == "plain:some/folder"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("plain:x", "no model is called 'plain:x'"),
        ("eeca:runs/a", "eeca: comes with the package eeca_ref"),
        ("gpt-4.1", "there are: openai:..., hf:..., file:..., standin:..."),
        ("hf", "write hf:..."),
        ("hf:", "which model"),
        ("openai: ", "which model"),
    ],
)
def test_a_name_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, why: str
) -> None:
    # Also where eeca_ref is installed, which brings `eeca:`.
    monkeypatch.setattr("mgld.evaluate.models.base.entry_points", lambda group: [])
    with pytest.raises(ValueError, match=why.replace(".", r"\.")):
        load_model(spec, ModelOptions(tmp_path))


def test_a_package_cannot_replace_a_built_in_model(plugin: Path, tmp_path: Path) -> None:
    info = plugin / "mgld_plain-1.0.dist-info" / "entry_points.txt"
    before = info.read_text()
    info.write_text(before + "openai = mgld_plain_model:load\n")
    try:
        model = load_model("openai:gpt-4.1", ModelOptions(tmp_path))
        assert type(model).__name__ == "OpenAiModel"
    finally:
        info.write_text(before)


def write(path: Path, lines: list[object]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def answered(build: Path) -> list[dict[str, object]]:
    from mgld.evaluate.questions import load_questions

    return [
        {"question_id": question.id, "draw": draw, "text": f"{draw}"}
        for question in load_questions(build)
        for draw in range(5)
    ]


def test_answers_made_elsewhere(answer_build: Path, tmp_path: Path) -> None:
    lines = answered(answer_build)
    failed = {**lines[3], "text": "", "status": "refused", "reason": "policy"}
    file = write(tmp_path / "mine.jsonl", [*lines[:3], failed, *lines[4:]])
    # As a program on Windows writes it.
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    counts = answer_questions(settings(answer_build, f"file:{file}"), tmp_path / "run")
    assert (counts.ok, counts.refused, counts.missing) == (49, 1, 0)
    row = next(iter(rows(tmp_path / "run").values()))
    assert (row["model"], row["prompt_version"], row["seed"]) == (
        "file:mine.jsonl",
        "elsewhere",
        None,
    )


def test_missing_draws_are_named_and_can_follow(answer_build: Path, tmp_path: Path) -> None:
    lines = answered(answer_build)
    file = write(tmp_path / "mine.jsonl", [*lines[:7], *lines[9:]])
    asked = settings(answer_build, f"file:{file}")
    counts = answer_questions(asked, tmp_path / "run")
    assert counts.missing == 2
    assert counts.missing_draws == [f"{lines[7]['question_id']}: 2, 3"]
    # Another file is another model: what was there may have changed, too.
    write(file, lines)
    with pytest.raises(ValueError, match="give another --out"):
        answer_questions(asked, tmp_path / "run")


def test_a_file_that_does_not_fit_is_refused_whole(answer_build: Path, tmp_path: Path) -> None:
    good = answered(answer_build)[0]
    file = write(
        tmp_path / "mine.jsonl",
        [
            good,
            good,
            {**good, "question_id": "none"},
            {**good, "draw": 5},
            {**good, "draw": -1},
            {**good, "draw": True},
            {**good, "draw": "0"},
            {**good, "txt": "a"},
            {"question_id": good["question_id"], "draw": 1, "text": 3},
        ],
    )
    asked = settings(answer_build, f"file:{file}")
    with pytest.raises(ValueError) as caught:
        answer_questions(asked, tmp_path / "run")
    said = str(caught.value)
    for part in (
        "1 are a second time (line 2: ",
        "1 are about no question of this split (line 3: none)",
        "1 are beyond the 5 draws asked for (line 4: 5)",
        "5 are no answer (line 5: draw ",
    ):
        assert part in said
    assert rows(tmp_path / "run") == {}


def test_the_stand_in_knows_what_its_encoder_knows(answer_build: Path, tmp_path: Path) -> None:
    """Over noise it has nothing to say with certainty; the same call says the same again."""
    for name in ("a", "b"):
        answer_questions(settings(answer_build, "standin:", batch_size=4), tmp_path / name)
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    row = next(iter(rows(tmp_path / "a").values()))
    assert row["model"] == "standin:nano" and row["seed"] is not None


def test_the_stand_in_sees_image_and_names_alone(answer_build: Path, tmp_path: Path) -> None:
    """Questions with another truth, label and answer get the same answers."""
    from dataclasses import replace

    from mgld.evaluate.models.base import Asked
    from mgld.evaluate.questions import open_questions
    from mgld.evaluate.records import Answer, Decoding, Truth

    found = open_questions(answer_build, limit=4)
    model = load_model("standin:", ModelOptions(tmp_path, str(answer_build)))

    def say(truth: Truth | None) -> list[str]:
        said: list[Answer] = []
        asked = [
            Asked(
                question=question.model_copy(update={"truth": truth} if truth else {}),
                instructions="",
                text=question.text,
                prompt_version="p",
                decoding=Decoding(),
                draws=(0, 1, 2, 3, 4),
                of=5,
                read_image=lambda question=question: found.read_image(question.id),
            )
            for question in found.questions
        ]
        model.answer(asked, said.append)
        texts = [each.text for each in said]
        blind: list[Answer] = []
        model.answer([replace(each, read_image=None) for each in asked], blind.append)
        assert {each.text for each in blind} == {"I do not know this landmark."}
        return texts

    assert say(None) == say(Truth(name="Something Else", answer="This is Something Else."))
