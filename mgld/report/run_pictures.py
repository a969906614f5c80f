"""One question of each level of a graded run, with its picture and answers, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from mgld.evaluate.judges import Case
from mgld.evaluate.records import LEVELS, Answer, Level, Verdict
from mgld.figures import Drawing, LackingError, LevelExample, ShownAnswer, draw_level_examples
from mgld.figures.style import WIDE
from mgld.keyed import order_key
from mgld.report.build_pictures import jpeg_pixels
from mgld.report.evaluation_pictures import Pictures, read_pictures
from mgld.report.evaluation_read import Evaluated
from mgld.report.evaluation_spans import cut_at_span

SHOWN_LETTERS: Final = 2_000
"""Of an answer, in the figure's table; the run has them whole."""


def draw_run_examples(found: Evaluated, *, width: float = WIDE) -> Drawing:
    """A question of each level that the run has, by a keyed hash.

    Of a level above unknown, one of which the judge quotes words, if there is any. A picture that
    cannot be had is an empty frame, as all are where `has_pictures` says no. LackingError where
    nothing is scored.
    """
    chosen = pick(found.cases, found.verdicts)
    if not chosen:
        raise LackingError("a question that the judge could score")
    pictures = Pictures()
    if found.run is not None and has_pictures(found):
        pictures = read_pictures([case.question for case, _, _ in chosen], found.run.dataset)
    return draw_level_examples(
        [
            LevelExample(
                level=level,
                name=case.question.truth.name,
                question_id=case.question.id,
                picture=_pixels(pictures, number),
                credit=_credit(pictures, case.question.id),
                answers=[_shown(answer, verdict) for answer in case.answers],
            )
            for number, (case, verdict, level) in enumerate(chosen)
        ],
        width=width,
    )


def has_pictures(found: Evaluated) -> bool:
    """Whether the run's dataset is a folder on this machine: none is downloaded for a figure."""
    return found.run is not None and Path(found.run.dataset.source).is_dir()


def pick(cases: Sequence[Case], verdicts: Sequence[Verdict]) -> list[tuple[Case, Verdict, Level]]:
    """One case of each level with its verdict, best level first, without levels that have none."""

    def order(pair: tuple[Case, Verdict]) -> tuple[bool, int]:
        case, verdict = pair
        return not verdict.spans, order_key(0, "level-example", case.question.id)

    chosen: list[tuple[Case, Verdict, Level]] = []
    for level in LEVELS:
        pairs = [pair for pair in zip(cases, verdicts, strict=True) if pair[1].level == level]
        if pairs:
            chosen.append((*min(pairs, key=order), level))
    return chosen


def _shown(answer: Answer, verdict: Verdict) -> ShownAnswer:
    """An answer with the words by which the judge says that it identifies, or hints."""
    if answer.status != "ok":
        return ShownAnswer(f"({answer.status}: {answer.reason})"[:SHOWN_LETTERS])
    text = answer.text[:SHOWN_LETTERS]
    before, *rest = cut_at_span(text, verdict.spans.get(answer.draw, ""))
    words, after = rest or ("", "")
    if answer.draw in (verdict.identified or ()):
        return ShownAnswer(before, words, after, "identifies")
    if answer.draw in (verdict.hinted or ()):
        return ShownAnswer(before, words, after, "hints")
    return ShownAnswer(text)


def _pixels(pictures: Pictures, number: int) -> npt.NDArray[np.uint8] | None:
    text = pictures.jpegs.get(number)
    return None if text is None else jpeg_pixels(text)


def _credit(pictures: Pictures, question_id: str) -> str:
    """Author and licence, where the picture is anybody's."""
    author, licence = pictures.credits.get(question_id, ("", ""))[:2]
    if not author and not licence:
        return ""
    return f"{author or 'author not stated'}, {licence}"
