"""What a model that judges is shown of a question and its answers, and nothing else of them.

Not which model answered, nor how it was sampled, nor the question's id: two runs with the same
answers are one request. Answers are data, put in as JSON strings between lines with a code that
follows from all of the content, so that requests can be made again and no answer can hold it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from mgld.evaluate.judges.base import Case
from mgld.evaluate.records import DRAWS, Answer, Question
from mgld.keyed import order_key

MAX_ANSWER: Final = 4_000
"""Characters of an answer that a judge is shown; the prompts say so."""
MAX_TRUTH: Final = 2_000
"""Characters of the question and of each text of the truth."""
MAX_NAMES: Final = 50
"""Aliases, and places, that are shown."""
CUT: Final = "[cut]"


class Shown(NamedTuple):
    """A case as a judge sees it.

    draws: of the slots 1 to 5, in the order in which they are shown; None for a slot without one.
    texts: what stands in the slots; None for a draw without any text.
    """

    code: str
    draws: tuple[int | None, ...]
    texts: tuple[str | None, ...]


def answers_sha256(question: Question, answers: Sequence[Answer]) -> str:
    """Hex SHA-256 of all that any judge may look at: question, truth, and the answers' texts.

    By draw, with their status; how and by which model they were made does not count.
    """
    draws = sorted((answer.draw, answer.status, answer.text) for answer in answers)
    content = [question.text, question.truth.model_dump(), draws]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def show(case: Case) -> Shown:
    """Put the answers of a case into slots, in an order that is drawn by their content.

    ValueError where there are more than five, or two of the same draw.
    """
    by_draw = {answer.draw: answer for answer in case.answers}
    if len(by_draw) < len(case.answers) or not by_draw.keys() <= set(range(DRAWS)):
        draws = sorted(answer.draw for answer in case.answers)
        raise ValueError(f"question {case.question.id}: {draws} are no draws of 0 to {DRAWS - 1}")
    content = answers_sha256(case.question, case.answers)
    order = sorted(range(DRAWS), key=lambda draw: order_key(0, "judge order", f"{content}{draw}"))
    found = [by_draw.get(draw) for draw in order]
    return Shown(
        code=hashlib.sha256(f"judge code {content}".encode()).hexdigest()[:24],
        draws=tuple(None if each is None else each.draw for each in found),
        texts=tuple(None if each is None else _text(each) for each in found),
    )


def truth_values(question: Question) -> dict[str, str | list[str] | None]:
    """The values of a prompt that are not the answers'."""
    truth = question.truth
    return {
        "question": shorten(question.text, MAX_TRUTH),
        "name": shorten(truth.name, MAX_TRUTH),
        "aliases": [shorten(each, MAX_TRUTH) for each in truth.aliases[:MAX_NAMES]],
        "places": [shorten(each, MAX_TRUTH) for each in truth.place_hints[:MAX_NAMES]],
        "label": truth.label,
        "reference": shorten(truth.answer, MAX_TRUTH) or None,
    }


def shorten(text: str, most: int) -> str:
    """At most `most` characters of `text`, and a mark where it went on; Unicode whatever it is."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= most else f"{text[:most]} {CUT}"


def _text(answer: Answer) -> str | None:
    said = answer.text if answer.status == "ok" else ""
    return shorten(said, MAX_ANSWER) if said.strip() else None
