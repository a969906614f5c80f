"""What every judge is, and how one is named on a command line.

A judge says one level of the answers to a question, or that it cannot ("unscored"). What an answer
says is data: no judge follows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mgld.evaluate.records import Answer, Question, Verdict
from mgld.llm.settings import LlmSettings


@dataclass(frozen=True)
class Case:
    """One question and the answers to it, in the order of their draws.

    Draws that are missing are simply not there; one that failed is there with its status.
    """

    question: Question
    answers: tuple[Answer, ...]


_MODELS = re.compile(r"\bopenai:([^,]+?)(?::(?:paper|strict|description))?(?=,|$)")
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


@dataclass(frozen=True)
class JudgeOptions:
    """What judges that ask a model need besides its name.

    ledger: the file of their replies. temperature: None sends none, as reasoning models want it.
    retry_errors: ask again where the reply in the ledger is an error or none that can be read.
    budget_option: what sets the budget of `llm`, for messages.
    """

    ledger: Path | None = None
    llm: LlmSettings = field(default_factory=LlmSettings)
    temperature: float | None = 0.0
    max_output_tokens: int = 2048
    retry_errors: bool = False
    budget_option: str = "--max-usd"


def require_endpoints(spec: str, options: JudgeOptions) -> None:
    """ValueError where a judge that `spec` names could ask nothing.

    No key, or a budget and no price. For calls that pay for something else before they judge.
    """
    from mgld.llm.client import api_key
    from mgld.llm.online import budget_price

    for model in _MODELS.findall(spec):
        api_key(options.llm)
        budget_price(model, options.llm, options.budget_option)


def load_judge(spec: str, options: JudgeOptions | None = None) -> Judge:
    """The judge that `spec` names.

    "rule"; "openai:MODEL" with ":paper" (the default) or ":strict" after it; "majority:A,B,C" of
    such; "rule-first:SPEC", whose certain cases the rule decides before SPEC is asked.

    ValueError for a spec that names none. There is no default: nobody grades itself by omission.
    """
    options = options or JudgeOptions()
    name, _, rest = spec.partition(":")
    if spec == "rule":
        from mgld.evaluate.judges.rule import RuleJudge

        return RuleJudge()
    if name == "openai":
        from mgld.evaluate.judges.model import model_judge

        return model_judge(rest, options)
    if name == "majority":
        from mgld.evaluate.judges.ensemble import Majority

        return Majority([load_judge(each.strip(), options) for each in rest.split(",")])
    if name == "rule-first":
        from mgld.evaluate.judges.rule_first import RuleFirst

        return RuleFirst(load_judge(rest, options))
    known = "rule, openai:MODEL, openai:MODEL:strict, majority:A,B,C, rule-first:JUDGE"
    raise ValueError(f"no judge is called {spec!r}; there are: {known}")
