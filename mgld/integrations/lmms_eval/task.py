"""What `tasks/mgld.yaml` calls: a question put as `mgld answer` puts it, five draws judged.

The judge is the rule, which needs no endpoint; the samples that the harness logs hold all that
another judge needs (`samples.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mgld.evaluate.answer_prompts import answer_prompt, render
from mgld.evaluate.judges.base import Case
from mgld.evaluate.judges.rule import RuleJudge
from mgld.evaluate.metrics import RECOGNISED, level_metrics
from mgld.evaluate.questions import question_of
from mgld.evaluate.records import DRAWS, LEVELS, Answer, Decoding, Level, Verdict

if TYPE_CHECKING:
    from PIL.Image import Image

FAILED = ("[LMMS_EVAL_REQUEST_FAILED", "[LMMS_EVAL_BUDGET_EXCEEDED")
"""How the harness's models begin what they give where a request failed: no answer of the model."""


def keep_image_files(docs: Any) -> Any:
    """The split with its image files as they are: how they are decoded is for `doc_to_visual`."""
    from datasets import Image

    return docs.cast_column("image", Image(decode=False))


def doc_to_visual(doc: Mapping[str, Any]) -> list[Image]:
    """The image, upright and RGB. ImageError (a ValueError) where it cannot be read."""
    from mgld.gldv2.decode import decode_image

    return [decode_image(doc["image"]["bytes"]).image]


def doc_to_text(doc: Mapping[str, Any]) -> str:
    """The text that goes with the image. ValueError: the prompt has instructions of its own."""
    rendered = render("question", question_of(doc))
    if rendered.instructions:
        raise ValueError("this task has no place for instructions")
    return rendered.text


class FiveDraws:
    """The harness's filter that passes all draws on, once it has seen that there are five."""

    def apply(self, resps: Iterable[Sequence[str]], docs: Any) -> list[list[str]]:
        """resps: of each question, its answers in the order of their draws."""
        draws = [list(each) for each in resps]
        for each in draws:
            if len(each) != DRAWS:
                raise ValueError(
                    f"a level is said of {DRAWS} draws, and lmms-eval made {len(each)}: leave "
                    f"--repeats out, the task asks for {DRAWS}"
                )
        return draws


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """What a question comes to, and what its logged sample holds.

    results: its five answers. Of each metric an item: `level`, `landmark_id`, and `score`, 0 or 1,
    where there is one. The item of `accuracy` holds the rest (whatever else stood here, the harness
    would list among its metrics): `question_id`, `answers` as `mgld answer --model file:` takes
    them, `explanation`, `judge` and `prompt_hash`.
    """
    question = question_of(doc)
    answers = [_answer(question.id, draw, text) for draw, text in enumerate(results)]
    verdicts: list[Verdict] = []
    RuleJudge().judge([Case(question, tuple(answers))], lambda _, verdict: verdicts.append(verdict))
    (verdict,) = verdicts
    level, scored = verdict.level, verdict.level != "unscored"

    def item(hit: bool, counts: bool = scored) -> dict[str, Any]:
        score = {"score": int(hit)} if counts else {}
        return {**score, "level": level, "landmark_id": question.landmark_id}

    logged = {
        "question_id": question.id,
        "answers": [
            answer.model_dump(include={"question_id", "draw", "text", "status", "reason"})
            for answer in answers
        ],
        "explanation": verdict.explanation or verdict.reason,
        "judge": verdict.judge,
        "prompt_hash": verdict.prompt_hash,
    }
    return {
        "accuracy": item(level in RECOGNISED) | logged,
        **{name: item(level == name) for name in LEVELS},
        "unscored": item(not scored, counts=True),
        "equal_draws": item(len(set(results)) == 1, counts=True),
    }


def accuracy(items: Sequence[Mapping[str, Any]]) -> float:
    """Recognised of the scored questions; NaN where none is scored, as for the levels."""
    return _number(level_metrics(_levels(items)).accuracy)


def _share_of(level: Level) -> Callable[[Sequence[Mapping[str, Any]]], float]:
    """The level's share of the scored questions, as the harness wants it: a function of items."""

    def share(items: Sequence[Mapping[str, Any]]) -> float:
        return _number(level_metrics(_levels(items)).shares[level])

    return share


strongly_known = _share_of("strongly_known")
known = _share_of("known")
weakly_unknown = _share_of("weakly_unknown")
unknown = _share_of("unknown")


def unscored(items: Sequence[Mapping[str, Any]]) -> float:
    """Questions that could not be judged, of all."""
    return _number(level_metrics(_levels(items)).unscored_share)


def equal_draws(items: Sequence[Mapping[str, Any]]) -> float:
    """Questions whose five draws are one text, of all: near 1, a cache gave one draw for five."""
    equal: int = sum(each["score"] for each in items)
    return equal / len(items)


def _answer(question_id: str, draw: int, text: str) -> Answer:
    status: Literal["ok", "error"] = "error" if text.startswith(FAILED) else "ok"
    return Answer(
        question_id=question_id,
        draw=draw,
        text=text if status == "ok" else "",
        status=status,
        reason="" if status == "ok" else text,
        model="",
        prompt_version=answer_prompt("question").version,
        decoding=Decoding(),
    )


def _levels(items: Sequence[Mapping[str, Any]]) -> list[str]:
    return [each["level"] for each in items]


def _number(share: float | None) -> float:
    return float("nan") if share is None else share
