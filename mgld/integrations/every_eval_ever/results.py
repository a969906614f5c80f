"""The numbers of a run as results of the schema, each as `RunMetrics` has it."""

from __future__ import annotations

import re
from typing import Any, Final

from mgld.evaluate.breakdown import SCORES
from mgld.evaluate.intervals import CONFIDENCE, Interval
from mgld.evaluate.judges.model import judge_prompt
from mgld.evaluate.metrics import LevelMetrics
from mgld.evaluate.records import LEVELS
from mgld.evaluate.run_metrics import RunMetrics
from mgld.integrations.every_eval_ever.provenance import texts

LEVEL_RESULT: Final = "mgld.knowledge_level"
"""Id of the result that the rows of the questions belong to."""
UNSCORED: Final = -1
_WORST_FIRST: Final = tuple(reversed(LEVELS))
_MEANING: Final = {
    "unknown": "no answer identifies the landmark, none hints at it rightly",
    "weakly_unknown": "no answer identifies it, at least one is right about where or what it is",
    "known": "one of five answers identifies it",
    "strongly_known": "two or more of five answers identify it",
}
_MODELS: Final = re.compile(r"\bopenai:([^,]+?):(paper|strict)(?=,|$)")


def evaluation_results(metrics: RunMetrics) -> list[dict[str, Any]]:
    """Level, accuracy, the share of each level, what is unscored, and pass@1 and pass@5 if told."""
    levels, draws = metrics.levels, metrics.draws
    scoring = _scoring(metrics)
    assert levels.accuracy is not None and levels.unscored_share is not None
    found = [
        _levels(levels, scoring),
        _share("accuracy", "accuracy", levels.accuracy, levels.accuracy_interval, levels.scored,
               scoring, "share of the scored questions that are strongly_known or known",
               {"recognised": levels.recognised, "worst": levels.worst, "best": levels.best}),
        *(
            _share(f"mgld.{level}_share", "proportion", share, levels.share_intervals[level],
                   levels.scored, scoring, f"share of the scored questions: {_MEANING[level]}",
                   {"count": levels.counts[level]}, lower=level in ("weakly_unknown", "unknown"))
            for level in LEVELS if (share := levels.shares[level]) is not None
        ),
        _share("mgld.unscored_share", "proportion", levels.unscored_share, None, levels.total,
               scoring, "share of all questions that the judge could not judge",
               {f"reason: {why}": many for why, many in metrics.unscored.items()}, lower=True),
    ]  # fmt: skip
    if draws is not None:
        for k, value, interval in (
            (1, draws.pass_at_1, draws.pass_at_1_interval),
            (5, draws.pass_at_5, draws.pass_at_5_interval),
        ):
            said = "identifies the landmark: " + ("any draw" if k == 1 else "one of five draws")
            each = _share("pass_at_k", "pass_rate", value, interval, draws.questions, scoring, said,
                          {"draws": draws.draws})  # fmt: skip
            each["evaluation_result_id"] = f"mgld.pass_at_{k}"
            each["evaluation_name"] = f"mgld pass@{k}"
            each["metric_config"] |= {"metric_name": f"pass@{k}", "metric_parameters": {"k": k}}
            found.append(each)
    return found


def _levels(levels: LevelMetrics, scoring: dict[str, Any]) -> dict[str, Any]:
    """Mean level score, 0 (unknown) to 3 (strongly_known), over the scored questions."""
    total = sum(SCORES[level] * count for level, count in levels.counts.items())
    details = {f"count_{level}": count for level, count in levels.counts.items()}
    return {
        "evaluation_result_id": LEVEL_RESULT,
        "evaluation_name": "mgld knowledge level",
        "metric_config": {
            "metric_id": LEVEL_RESULT,
            "metric_name": "mean knowledge level",
            "metric_kind": "level",
            "metric_unit": "level",
            "evaluation_description": "one level for five answers to a question about a "
            "photograph; the score is the mean of 0 to 3 over the scored questions",
            "lower_is_better": False,
            "score_type": "levels",
            "level_names": list(_WORST_FIRST),
            "level_metadata": [_MEANING[level] for level in _WORST_FIRST],
            "has_unknown_level": True,
            "min_score": 0,
            "max_score": len(LEVELS) - 1,
            **scoring,
        },
        "score_details": {
            "score": total / levels.scored,
            "details": texts(
                {**details, "unscored (-1)": levels.unscored, "questions": levels.total}
            ),
            "uncertainty": {"num_samples": levels.scored},
        },
    }


def _share(
    metric: str,
    kind: str,
    value: float,
    interval: Interval | None,
    of: int,
    scoring: dict[str, Any],
    description: str,
    details: dict[str, Any],
    *,
    lower: bool = False,
) -> dict[str, Any]:
    name = metric.removeprefix("mgld.")
    uncertainty: dict[str, Any] = {"num_samples": of}
    if interval is not None:
        uncertainty["confidence_interval"] = {
            "lower": interval.low,
            "upper": interval.high,
            "confidence_level": CONFIDENCE,
            "method": interval.method,
        }
    return {
        "evaluation_result_id": f"mgld.{name}",
        "evaluation_name": f"mgld {name.replace('_', ' ')}",
        "metric_config": {
            "metric_id": metric,
            "metric_name": name,
            "metric_kind": kind,
            "metric_unit": "proportion",
            "evaluation_description": description,
            "lower_is_better": lower,
            "score_type": "continuous",
            "min_score": 0,
            "max_score": 1,
            **scoring,
        },
        "score_details": {
            "score": value,
            "details": texts({**details, "of": of}),
            "uncertainty": uncertainty,
        },
    }


def _scoring(metrics: RunMetrics) -> dict[str, Any]:
    """The judge: in words and, where models judge, as the schema has it, with their prompts."""
    details = texts(
        {
            "judge": metrics.judge,
            "judge_prompt_hash": metrics.prompt_hash,
            "judge_replies_from": metrics.first_reply,
            "judge_replies_to": metrics.last_reply,
            "judge_answered_by": ", ".join(f"{k}: {v}" for k, v in metrics.answered_by.items()),
            "graded": metrics.graded,
            "notes": "; ".join(metrics.notes()),
        }
    )
    models = _MODELS.findall(metrics.judge)
    if not models:
        return {"additional_details": details}
    protocols = sorted({protocol for _, protocol in models})
    scoring: dict[str, Any] = {
        "judges": [
            {
                "model_info": {
                    "name": f"openai:{model}",
                    "id": model,
                    "additional_details": {
                        "deployment_type": "unknown",
                        "model_availability": "unknown",
                    },
                },
                "additional_details": {"protocol": protocol},
            }
            for model, protocol in models
        ],
        "input_prompt": "\n\n".join(judge_prompt(protocol) for protocol in protocols),
    }
    if metrics.judge.startswith("majority:"):
        scoring["aggregation_method"] = "majority_vote"
    return {"additional_details": details, "llm_scoring": scoring}
