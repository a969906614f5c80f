"""Judges: what turns the answers to a question into one knowledge level."""

from __future__ import annotations

from mgld.evaluate.judges.base import Case, Judge, JudgeOptions, OnVerdict, load_judge

__all__ = ["Case", "Judge", "JudgeOptions", "OnVerdict", "load_judge"]
