"""A row for each question: its five answers, its level, and which words show it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from mgld.evaluate.breakdown import SCORES
from mgld.evaluate.judges.base import Case
from mgld.evaluate.metrics import RECOGNISED
from mgld.evaluate.records import Verdict
from mgld.integrations.every_eval_ever.provenance import texts
from mgld.integrations.every_eval_ever.results import LEVEL_RESULT, UNSCORED
from mgld.report.evaluation_read import Evaluated


def sample_rows(evaluated: Evaluated, evaluation: str, model: str) -> Iterator[dict[str, Any]]:
    """The rows in the order of the questions. evaluation, model: ids of the aggregate record."""
    for case, verdict in zip(evaluated.cases, evaluated.verdicts, strict=True):
        truth, text = case.question.truth, case.question.text
        reference = [truth.name, *truth.aliases]
        yield {
            "schema_version": "0.3.0",
            "evaluation_id": evaluation,
            "model_id": model,
            "evaluation_name": "mgld knowledge level",
            "evaluation_result_id": LEVEL_RESULT,
            "sample_id": case.question.id,
            # The picture is what differs between two questions about landmarks of one name.
            "sample_hash": _hash(text, *reference, case.question.image_sha256),
            "interaction_type": "single_turn",
            "input": {"raw": text, "reference": reference},
            "output": {"raw": [answer.text for answer in case.answers]},
            "answer_attribution": [
                {
                    "turn_idx": 0,
                    "source": f"output.raw[{draw}]",
                    "extracted_value": span,
                    "extraction_method": verdict.judge,
                    "is_terminal": True,
                }
                for draw, span in sorted(verdict.spans.items())
            ],
            "evaluation": {
                "score": SCORES.get(verdict.level, UNSCORED),
                "is_correct": verdict.level in RECOGNISED,
            },
            "metadata": _metadata(case, verdict),
            **_error(case),
        }


def _metadata(case: Case, verdict: Verdict) -> dict[str, str]:
    question = case.question
    states = Counter(answer.status for answer in case.answers)
    return texts(
        {
            "level": verdict.level,
            "unscored_because": verdict.reason,
            "explanation": verdict.explanation,
            "identified_draws": _draws(verdict.identified),
            "hinted_draws": _draws(verdict.hinted),
            "decided_by": verdict.decided_by,
            "landmark_id": question.landmark_id,
            "image_sha256": question.image_sha256,
            "kind": question.truth.label,
            "answers": ", ".join(f"{state} {count}" for state, count in sorted(states.items())),
        }
    )


def _draws(draws: list[int] | None) -> str | None:
    return None if draws is None else ", ".join(map(str, draws)) or "none"


def _error(case: Case) -> dict[str, str]:
    """Draws that have no text because they failed or were refused."""
    said = [
        f"draw {answer.draw} {answer.status}: {answer.reason}"
        for answer in case.answers
        if answer.status != "ok"
    ]
    return {"error": "; ".join(said)} if said else {}


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
