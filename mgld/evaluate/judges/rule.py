"""The rule judge: deterministic, offline; docs/definitions.md, "Grading"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mgld.evaluate.judges.base import Case, OnVerdict
from mgld.evaluate.records import Verdict


class RuleJudge:
    """The judge called "rule"."""

    @property
    def id(self) -> str:
        """Always "rule"."""
        return "rule"

    @property
    def prompt_hash(self) -> str:
        """Hash of the rule's version and word lists."""
        raise NotImplementedError

    def judge(self, cases: Sequence[Case], on_verdict: OnVerdict) -> None:
        """Judge every case in order."""
        raise NotImplementedError


def rule_judge(
    truth: str, answers: list[str], *, aliases: Iterable[str] = (), hints: Iterable[str] = ()
) -> Verdict:
    """The verdict on five answers to a question about the landmark called `truth`."""
    raise NotImplementedError
