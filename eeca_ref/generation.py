"""Answers about one image, by the very path that `mgld answer` takes.

What keys the sampling of a draw is (seed, question's id, draw), so with a record's id, text and
image, and the same decoding, the answers are the benchmark's, letter by letter.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from eeca_ref.under_test import load
from mgld.evaluate.answer_prompts import answer_prompt, render
from mgld.evaluate.models.base import Asked, ModelOptions
from mgld.evaluate.records import DRAWS, Answer, Decoding, Question, Truth


def answers(
    model: str,
    image: Path,
    question: str | None = None,
    *,
    key: str | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    decoding: Decoding | None = None,
    device: str | None = None,
) -> list[Answer]:
    """A model's answers to one question about one image, in the order of the draws.

    Args:
        model: folder or Hub id, as in `eeca_ref.under_test.load`.
        image: file of any format that Pillow reads.
        question: what is asked; None: the first of the dataset's own questions.
        key: the question's id, which keys the sampling; None: the hash of image and question.
        draws: answers that are made.
        seed: of all sampling.
        decoding: temperature and the like; None: the benchmark's.
        device: torch's name; None: a GPU if there is one.

    Raises:
        ValueError, OSError: no such model or image, or an image that cannot be read.
    """
    under_test = load(model, ModelOptions(folder=Path(), device=device, batch_size=1))
    data = image.read_bytes()
    if question is None:
        from mgld.annotate.questions import questions

        question = questions()[0].text
    if key is None:
        key = hashlib.sha256(data + b"\x1f" + question.encode(errors="replace")).hexdigest()
    asked = Question(
        id=key,
        landmark_id=0,
        text=question,
        image_sha256=hashlib.sha256(data).hexdigest(),
        truth=Truth(name=""),
    )
    rendered = render("question", asked)
    made: list[Answer] = []
    put = Asked(
        question=asked,
        instructions=rendered.instructions,
        text=rendered.text,
        prompt_version=answer_prompt("question").version,
        decoding=decoding or Decoding(),
        draws=tuple(range(draws)),
        of=draws,
        seed=seed,
        read_image=lambda: data,
    )
    under_test.answer([put], made.append)
    failed = next((each for each in made if each.status != "ok"), None)
    if failed is not None:
        raise ValueError(f"{image}: {failed.reason}")
    return sorted(made, key=lambda each: each.draw)
