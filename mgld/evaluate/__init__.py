"""Grading what models answer: five answers to a question, one level, numbers with intervals."""

from __future__ import annotations

from mgld.evaluate.judges.rule import rule_judge
from mgld.evaluate.metrics import LevelMetrics, level_metrics
from mgld.evaluate.records import (
    LEVELS,
    Answer,
    Decoding,
    Judged,
    Level,
    Question,
    State,
    Truth,
    Verdict,
)

__all__ = [
    "LEVELS",
    "Answer",
    "Decoding",
    "Judged",
    "Level",
    "LevelMetrics",
    "Question",
    "State",
    "Truth",
    "Verdict",
    "level_metrics",
    "rule_judge",
]
