"""Table 2: what a model is asked in the test is what it was trained on, to the letter."""

from __future__ import annotations

import pytest

from eeca_ref.data.entities import with_entities
from mgld.evaluate.answer_prompts import render
from mgld.evaluate.records import Question, Truth

QUESTION = "What is the location shown in the image?"


def asked(text: str, entities: list[str]) -> Question:
    return Question(
        id="q", landmark_id=1, text=text, image_sha256="", truth=Truth(name="L"), entities=entities
    )


@pytest.mark.parametrize(
    "entities",
    [["iron lattice structure"], ["blue  walls", "a {question}\nof glass", "roof. grey,"]],
)
def test_the_test_names_entities_as_training_does(entities: list[str]) -> None:
    rendered = render("entities-given", asked(QUESTION, entities))
    assert rendered.instructions == ""
    assert rendered.text == with_entities(QUESTION, entities)


def test_without_entities_the_question_is_the_benchmarks() -> None:
    assert render("question", asked(QUESTION, [])).text == with_entities(QUESTION, [])
