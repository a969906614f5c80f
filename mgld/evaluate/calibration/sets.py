"""Reading the calibration set."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Annotated, Final, Literal, get_args

import yaml
from pydantic import Field

from mgld.evaluate.judges.base import Case
from mgld.evaluate.records import DRAWS, Answer, Decoding, Level, Question, Truth
from mgld.schema import Record

Kind = Literal[
    "easy",
    "name_among_wrong",
    "place_only",
    "vague",
    "context",
    "generic",
    "namesake",
    "qualifier",
    "part_whole",
    "alias",
    "abbreviation",
    "typo",
    "language",
    "hedged_list",
    "negation",
    "contradiction",
    "refusal",
    "empty",
    "instruction",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_MODEL = "written for calibration"


class AnswerSet(Record):
    """Five answers to one question, the level they should get, and why.

    kinds: what makes it easy or hard to judge. "" among the answers is an empty one.
    """

    id: str
    level: Level
    why: str
    kinds: list[Kind] = Field(min_length=1)
    truth: Truth
    question: str
    answers: Annotated[list[str], Field(min_length=DRAWS, max_length=DRAWS)]

    def case(self) -> Case:
        """As a judge is given it. Sets about the same landmark share their `landmark_id`."""
        question = Question(
            id=self.id,
            landmark_id=int(sha256(self.truth.name.encode()).hexdigest()[:12], 16),
            text=self.question,
            image_sha256="",
            truth=self.truth,
        )
        answers = tuple(
            Answer(
                question_id=self.id,
                draw=draw,
                text=text,
                status="ok",
                model=_MODEL,
                prompt_version=_MODEL,
                decoding=Decoding(),
            )
            for draw, text in enumerate(self.answers)
        )
        return Case(question, answers)


@cache
def load_sets() -> tuple[AnswerSet, ...]:
    """All sets, in the order of their files' names. ValueError where an id is there twice."""
    sets = [
        AnswerSet.model_validate(item) for text in _texts() for item in yaml.safe_load(text)
    ]  # fmt: skip
    ids = [each.id for each in sets]
    if len(set(ids)) != len(ids):
        twice = sorted({each for each in ids if ids.count(each) > 1})
        raise ValueError(f"calibration sets with the same id: {', '.join(twice)}")
    return tuple(sets)


@cache
def sets_sha256() -> str:
    """Hash of the set's files, hex: which version of the set a number is about."""
    return sha256("\x1f".join(_texts()).encode()).hexdigest()


@cache
def _texts() -> tuple[str, ...]:
    folder = files("mgld.evaluate.calibration") / "sets"
    paths = sorted((path for path in folder.iterdir() if path.name.endswith(".yaml")), key=str)
    return tuple(path.read_text(encoding="utf-8") for path in paths)
