"""One level for the five answers of a sample."""

from __future__ import annotations

from typing import Final

from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState

from mgld.evaluate.judges.base import Case
from mgld.evaluate.judges.rule import RuleJudge
from mgld.evaluate.records import Verdict
from mgld.integrations.inspect.grader import RULE, judge_by_grader, require_grader
from mgld.integrations.inspect.metrics import VERDICT, draws, headline, levels
from mgld.integrations.inspect.samples import answers_of, question_of

JUDGES: Final = (RULE, "paper", "strict")


def require_judge(judge: str) -> None:
    """ValueError where there is no such judge."""
    if judge not in JUDGES:
        raise ValueError(
            f"no judge is called {judge!r}: -T judge= rule, or paper or strict with a model in the "
            "role grader (--model-role grader=MODEL)"
        )


@scorer(metrics=[headline(), levels(), draws()])
def knowledge_level(judge: str = RULE) -> Scorer:
    """The level of a sample, or "unscored", which is a value so that metrics can count it.

    judge: rule, paper or strict, as in `mgld grade`; the latter two ask the role `grader`. The
    whole verdict is in the score's metadata.
    """
    require_judge(judge)

    async def score(state: TaskState, target: Target) -> Score:
        case = Case(question_of(state.metadata), answers_of(state))
        grader = require_grader(judge)
        if grader is None:
            verdict = _by_rule(case)
        else:
            verdict = await judge_by_grader(case, grader, judge)
        return Score(
            value=verdict.level,
            answer="\n\n".join(f"{each.draw + 1}: {each.text}" for each in case.answers),
            explanation=verdict.explanation or verdict.reason,
            reason=verdict.reason or None,
            metadata={VERDICT: verdict.model_dump(mode="json")},
        )

    return score


def _by_rule(case: Case) -> Verdict:
    found: list[Verdict] = []
    RuleJudge().judge([case], lambda _, verdict: found.append(verdict))
    return found[0]
