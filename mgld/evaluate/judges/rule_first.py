"""`rule-first:JUDGE`: what the rule judge is certain of needs no paid judge.

Certain is one thing: that a landmark is strongly known, since at least two draws name it so plainly
that the rule takes them for identifications. On the calibration set it is never wrong about that (a
test). Everything else, also where the rule finds nothing (a landmark may be described, or named in
a way it does not know), goes to the other judge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mgld.evaluate.judges.base import Case, Judge, OnVerdict
from mgld.evaluate.judges.levels import SEVERAL
from mgld.evaluate.judges.rule import RuleJudge
from mgld.evaluate.records import Verdict


class RuleFirst:
    """A judge behind the rule judge. ValueError where that is the rule judge itself."""

    def __init__(self, then: Judge) -> None:
        self._rule, self._then = RuleJudge(), then
        if then.id == self._rule.id or then.id.startswith("rule-first:"):
            raise ValueError(f"rule-first:{then.id} asks the rule twice; name another judge")

    @property
    def id(self) -> str:
        """`rule-first:` and the other judge's id."""
        return f"rule-first:{self._then.id}"

    @property
    def prompt_hash(self) -> str:
        """Over those of both."""
        parts = ("rule-first", 1, SEVERAL, self._rule.prompt_hash, self._then.prompt_hash)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def judge(self, cases: Sequence[Case], on_verdict: OnVerdict) -> None:
        """See `Judge`; raises what the other judge raises, after what the rule decided."""
        left: list[int] = []

        def by_rule(row: int, verdict: Verdict) -> None:
            if is_certain(verdict):
                on_verdict(row, self._taken(verdict))
            else:
                left.append(row)

        self._rule.judge(cases, by_rule)
        self._then.judge(
            [cases[row] for row in left],
            lambda row, verdict: on_verdict(left[row], self._taken(verdict)),
        )

    def _taken(self, verdict: Verdict) -> Verdict:
        decided = verdict.decided_by or verdict.judge
        own = {"judge": self.id, "prompt_hash": self.prompt_hash, "decided_by": decided}
        return verdict.model_copy(update=own)


def is_certain(verdict: Verdict) -> bool:
    """Whether a verdict of the rule judge needs no second look (see the module)."""
    return verdict.level == "strongly_known" and len(verdict.identified or ()) >= SEVERAL
