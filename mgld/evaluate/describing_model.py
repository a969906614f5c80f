"""`openai:MODEL` as a judge of descriptions: the text side of the probe, judged by a model.

It says of each answer whether it describes the landmark and by which words; docs/definitions.md,
"Probe". What it is shown, and how its replies are kept and read, is as of other judges that ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

from mgld.evaluate.describing import RULE_VERSION, OnDescribed, says_place
from mgld.evaluate.judges.asking import ModelAsker, Said, one_line
from mgld.evaluate.judges.base import Case, JudgeOptions
from mgld.evaluate.judges.shown import Shown
from mgld.evaluate.judges.spans import occurs
from mgld.evaluate.records import Described
from mgld.schema import Record

State = Literal["described", "not_described", "unscored"]
SCHEMA: Final = "judge_description_reply"


class OneDescription(Record):
    """What one response does, and the words of it that show it."""

    span: str
    verdict: Literal["describes", "neither"]


class DescriptionReply(Record):
    """A field for each response, in the order in which they were shown."""

    response_1: OneDescription
    response_2: OneDescription
    response_3: OneDescription
    response_4: OneDescription
    response_5: OneDescription
    explanation: str


class ModelDescriptionJudge(ModelAsker[Described]):
    """Described: some draw describes the landmark, by words that stand in it.

    A claim whose span does not occur in its answer is void. Where there are only such, the question
    is unscored, as it is where the reply is no valid one.
    """

    protocol = "description"
    _file, _schema_name, _reply = "judge_description.md", SCHEMA, DescriptionReply

    def judge(self, cases: Sequence[Case], on_described: OnDescribed) -> None:
        """See `DescriptionJudge`; raises as `ModelJudge.judge`."""
        self._ask(cases, on_described)

    def _rules(self) -> tuple[object, ...]:
        return (RULE_VERSION,)

    def _nothing_said(self, case: Case) -> Described:
        if all(answer.status == "error" for answer in case.answers):
            return self._described(case, Said(None, "no draw has an answer"))
        return self._described(case, Said(None), "not_described", "no draw has any text")

    def _found(self, case: Case, shown: Shown, said: Said) -> Described:
        if said.value is None:
            return self._described(case, said)
        explanation = [one_line(said.value.explanation)] if said.value.explanation.strip() else []
        draws: list[int] = []
        void: list[int] = []
        spans: dict[int, str] = {}
        for number, (draw, text) in enumerate(zip(shown.draws, shown.texts, strict=True), start=1):
            claim: OneDescription = getattr(said.value, f"response_{number}")
            if claim.verdict == "neither" or draw is None or text is None:
                continue  # a draw without text describes nothing
            held = occurs(claim.span, text)
            (draws if held else void).append(draw)
            if held:
                spans[draw] = claim.span
            mark = "" if held else ", which does not say so: void"
            explanation.append(f"draw {draw} describes ({one_line(claim.span)!r}{mark})")
        why = "; ".join(explanation)
        if void and not draws:
            reason = f"claims without evidence decide it: on draws {sorted(void)}"
            return self._described(case, said._replace(reason=reason), "unscored", why)
        state: State = "described" if draws else "not_described"
        return self._described(case, said, state, why, spans)

    def _described(
        self,
        case: Case,
        said: Said,
        state: State = "unscored",
        explanation: str = "",
        spans: Mapping[int, str] = MappingProxyType({}),
    ) -> Described:
        """spans: of the draws that describe it."""
        return Described(
            question_id=case.question.id,
            state=state,
            place=any(says_place(case.question, a) for a in case.answers if a.draw in spans),
            draws=sorted(spans),
            spans=dict(spans),
            explanation=explanation,
            reason=one_line(said.reason),
            judge=self.id,
            prompt_hash=self.prompt_hash,
            raw=said.raw,
            answered_by=said.answered_by,
            date=said.date,
        )


def model_description_judge(model: str, options: JudgeOptions) -> ModelDescriptionJudge:
    """The judge that `openai:MODEL` names. ValueError where no model is named."""
    if not model.strip():
        raise ValueError("which model judges descriptions? write openai:MODEL")
    return ModelDescriptionJudge(model.removesuffix(":description"), options)
