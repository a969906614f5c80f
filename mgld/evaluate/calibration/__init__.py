"""The calibration set: answers written to hold judges against, each with the level it should get.

What it is, whose its labels are and by which rules they were given: README.md beside this file.
"""

from __future__ import annotations

from mgld.evaluate.calibration.sets import KINDS, AnswerSet, Kind, load_sets, sets_sha256

__all__ = ["KINDS", "AnswerSet", "Kind", "load_sets", "sets_sha256"]
