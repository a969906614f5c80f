"""The predefined question set of stage 2, and which question a landmark gets."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from mgld.keyed import order_key
from mgld.schema import Record


class Question(Record):
    """One question about an image; it never contains the landmark's name."""

    id: str
    text: str


def prompt_bytes(name: str) -> bytes:
    """The bytes of `mgld/annotate/prompts/<name>`, as they are hashed into a prompt version."""
    return (files("mgld.annotate") / "prompts" / name).read_bytes()


@cache
def load_prompt(name: str) -> Any:
    """The parsed YAML of one prompt file."""
    return yaml.safe_load(prompt_bytes(name))


@cache
def questions() -> tuple[Question, ...]:
    """All questions in the order of their file; every annotator draws from this one set."""
    return tuple(Question(**item) for item in load_prompt("questions.yaml")["questions"])


def draw_question(landmark_id: int, *, seed: int) -> Question:
    """The question of one landmark: a keyed uniform draw (paper, section 3.1: "randomly select").

    It depends on the seed and the landmark alone, so that a rebuilt or a paid annotation asks the
    same question.
    """
    every = questions()
    return every[order_key(seed, "question", landmark_id) % len(every)]
