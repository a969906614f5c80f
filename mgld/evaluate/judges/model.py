"""Judges that ask a model: `openai:MODEL` (protocol paper) and `openai:MODEL:strict`.

Paper: the model sees all five answers and says the level (paper, section 4.2). Strict: it says of
each answer whether it identifies the landmark or hints at it and by which words, and the level
follows by `level_of`. Whatever is no valid reply leaves the question unscored, with the reply.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from mgld.evaluate.judges.asking import ModelAsker, Said, one_line
from mgld.evaluate.judges.base import Case, JudgeOptions, OnVerdict
from mgld.evaluate.judges.levels import SEVERAL, level_of
from mgld.evaluate.judges.replies import PAPER_SCHEMA, STRICT_SCHEMA, PaperReply, StrictReply
from mgld.evaluate.judges.shown import Shown
from mgld.evaluate.judges.spans import occurs
from mgld.evaluate.records import State, Verdict


class Decision(NamedTuple):
    """What a valid reply comes to. identified, hinted: draws; None where it does not say."""

    level: State
    explanation: str
    identified: list[int] | None = None
    hinted: list[int] | None = None
    spans: dict[int, str] | None = None
    reason: str = ""


class ModelJudge(ModelAsker[Verdict]):
    """A judge that asks `model` of an OpenAI-compatible endpoint."""

    def judge(self, cases: Sequence[Case], on_verdict: OnVerdict) -> None:
        """See `Judge`. Replies that the ledger holds are not asked for again.

        GatherStoppedError where budget, time or endpoint stop it: the cases that were answered have
        their verdicts. ValueError: no ledger, no key, a budget for a model without a price.
        """
        self._ask(cases, on_verdict)

    @abstractmethod
    def _decide(self, value: Any, shown: Shown) -> Decision:
        """What a valid reply says of the five."""

    def _rules(self) -> tuple[object, ...]:
        return (SEVERAL,)

    def _nothing_said(self, case: Case) -> Verdict:
        """Five empty answers are an answer; where all draws failed, nothing is known."""
        if all(answer.status == "error" for answer in case.answers):
            return self._verdict(_unscored("no answer is there"), Said(None))
        nothing = Decision("unknown", "No draw has any text; no model was asked.", [], [])
        return self._verdict(nothing, Said(None))

    def _found(self, case: Case, shown: Shown, said: Said) -> Verdict:
        if said.value is None:
            return self._verdict(_unscored(said.reason), said)
        return self._verdict(self._decide(said.value, shown), said)

    def _verdict(self, decision: Decision, said: Said) -> Verdict:
        return Verdict(
            level=decision.level,
            explanation=decision.explanation,
            reason=decision.reason,
            identified=decision.identified,
            hinted=decision.hinted,
            spans=decision.spans or {},
            judge=self.id,
            prompt_hash=self.prompt_hash,
            raw=said.raw,
            answered_by=said.answered_by,
            date=said.date,
        )


class PaperJudge(ModelJudge):
    """One look at all five answers."""

    protocol = "paper"
    _file, _schema_name, _reply = "judge_paper.md", PAPER_SCHEMA, PaperReply

    def _decide(self, value: PaperReply, shown: Shown) -> Decision:
        return Decision(value.level, one_line(value.explanation))


class StrictJudge(ModelJudge):
    """A verdict on each answer, whose words must show it; the level is counted here.

    A claim whose span does not occur in its answer is void. Where the level would be another one if
    void claims were true, the question is unscored: a judge's failure moves no level, up or down.
    """

    protocol = "strict"
    _file, _schema_name, _reply = "judge_strict.md", STRICT_SCHEMA, StrictReply

    def _decide(self, value: StrictReply, shown: Shown) -> Decision:
        explanation = [one_line(value.explanation)] if value.explanation.strip() else []
        found: dict[str, list[int]] = {"identifies": [], "hints": []}
        void: dict[str, list[int]] = {"identifies": [], "hints": []}
        spans: dict[int, str] = {}
        for said, draw, text in zip(value.responses, shown.draws, shown.texts, strict=True):
            if said.verdict == "neither" or draw is None or text is None:
                continue  # a draw without text can neither identify nor hint
            held = occurs(said.span, text)
            (found if held else void)[said.verdict].append(draw)
            if held:
                spans[draw] = said.span
            mark = "" if held else ", which does not say so: void"
            explanation.append(f"draw {draw} {said.verdict} ({one_line(said.span)!r}{mark})")
        identified, hinted = sorted(found["identifies"]), sorted(found["hints"])
        level = level_of(len(identified), len(hinted))
        if_true = level_of(
            len(identified) + len(void["identifies"]), len(hinted) + len(void["hints"])
        )
        said_all = "; ".join(explanation)
        if if_true != level:
            draws = sorted(void["identifies"] + void["hints"])
            reason = f"claims without evidence decide the level: on draws {draws}"
            return Decision("unscored", said_all, reason=reason)
        return Decision(level, said_all, identified, hinted, spans)


def model_judge(rest: str, options: JudgeOptions) -> ModelJudge:
    """The judge that `openai:REST` names. Model ids may have colons; the protocol comes last."""
    model, _, protocol = rest.rpartition(":")
    kinds: dict[str, type[ModelJudge]] = {"paper": PaperJudge, "strict": StrictJudge}
    if protocol not in kinds or not model:
        model, protocol = rest, "paper"
    if not model.strip() or model in kinds:
        raise ValueError("which model judges? write openai:MODEL or openai:MODEL:strict")
    return kinds[protocol](model, options)


def judge_prompt(protocol: str) -> str:
    """The prompt of a protocol, instructions first, as it is before a case is put into it."""
    prompt = model_judge(f"any:{protocol}", JudgeOptions()).prompt
    return f"{prompt.instructions}\n\n{prompt.text}"


def _unscored(reason: str) -> Decision:
    return Decision("unscored", "", reason=one_line(reason))
