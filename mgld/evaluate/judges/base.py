"""What every judge is, and how one is named on a command line.

A judge says one level of the answers to a question, or that it cannot ("unscored"). What an answer
says is data: no judge follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mgld.evaluate.records import Answer, Question, Verdict


@dataclass(frozen=True)
class Case:
    """One question and the answers to it, in the order of their draws.

    Draws that are missing are simply not there; one that failed is there with its status.
    """

    question: Question
    answers: tuple[Answer, ...]


OnVerdict = Callable[[int, Verdict], None]
"""Called with the index of a case and the verdict on it."""


class Judge(Protocol):
    """Anything that judges. `id` and `prompt_hash` are those of its verdicts."""

    @property
    def id(self) -> str:
        """As it is called in results: "rule", or a dated model id with its protocol."""
        ...

    @property
    def prompt_hash(self) -> str:
        """Hash of all that it judges by besides the model: prompts, rules, word lists."""
        ...

    def judge(self, cases: Sequence[Case], on_verdict: OnVerdict) -> None:
        """Judge every case, calling `on_verdict` once for each, in any order, as it is known."""
        ...


def load_judge(spec: str) -> Judge:
    """The judge that `spec` names: "rule".

    Raises ValueError for a spec that names none.
    """
    if spec == "rule":
        from mgld.evaluate.judges.rule import RuleJudge

        return RuleJudge()
    raise ValueError(f"no judge is called {spec!r}; there is: rule")
