"""Judges that ask a model: `openai:MODEL` (protocol paper) and `openai:MODEL:strict`.

Paper: the model sees all five answers and says the level (paper, section 4.2). Strict: it says of
each answer whether it identifies the landmark or hints at it and by which words, and the level
follows by `level_of`. Whatever is no valid reply leaves the question unscored, with the reply.
"""

from __future__ import annotations

import datetime
import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from mgld.evaluate.judges.base import Case, JudgeOptions, OnVerdict
from mgld.evaluate.judges.levels import SEVERAL, level_of
from mgld.evaluate.judges.replies import PAPER_SCHEMA, STRICT_SCHEMA, PaperReply, StrictReply
from mgld.evaluate.judges.shown import MAX_ANSWER, MAX_NAMES, MAX_TRUTH, Shown, show, truth_values
from mgld.evaluate.judges.spans import occurs
from mgld.evaluate.records import DRAWS, State, Verdict
from mgld.llm.ledger import Ledger, StoredReply
from mgld.llm.prompts import Prompt, load_prompt_file
from mgld.llm.request import OutputSchema, Parameters, Request
from mgld.llm.structured import output_schema, read_structured
from mgld.llm.wire import read_reply

READING: Final = 1
"""Goes up when replies come to be read differently; part of the prompt hash."""
TAKE_SECONDS: Final = 1.0
"""Replies become verdicts this often."""
MAX_RAW: Final = 4_000
"""Characters of a reply that is no JSON that a verdict keeps; the ledger keeps it whole."""
_PLACEHOLDERS: Final = (
    "question", "name", "aliases", "places", "label", "reference", "code",
    *(f"response_{number}" for number in range(1, DRAWS + 1)),
)  # fmt: skip


class Decision(NamedTuple):
    """What a valid reply comes to. identified, hinted: draws; None where it does not say."""

    level: State
    explanation: str
    identified: list[int] | None = None
    hinted: list[int] | None = None
    spans: dict[int, str] | None = None
    reason: str = ""


class ModelJudge(ABC):
    """A judge that asks `model` of an OpenAI-compatible endpoint."""

    protocol: str
    _file: str
    _schema_name: str
    _reply: type[BaseModel]

    def __init__(self, model: str, options: JudgeOptions) -> None:
        self.model, self._options = model, options
        self._parameters = Parameters(
            max_output_tokens=options.max_output_tokens, temperature=options.temperature
        )
        self._prompt = _load(self._file, self._schema_name)
        self._schema: OutputSchema = output_schema(self._reply, self._schema_name)

    @property
    def id(self) -> str:
        """`openai:MODEL:PROTOCOL`."""
        return f"openai:{self.model}:{self.protocol}"

    @property
    def prompt_hash(self) -> str:
        """Over protocol, prompt file, schema, decoding, caps and the way replies are read."""
        parts = (
            self.protocol,
            READING,
            self._prompt.version,
            self._schema.digest,
            self._parameters.digest,
            (MAX_ANSWER, MAX_TRUTH, MAX_NAMES, SEVERAL),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def request(self, case: Case, shown: Shown) -> Request:
        """What is asked about a case."""
        responses = {f"response_{n}": text for n, text in enumerate(shown.texts, start=1)}
        rendered = self._prompt.render(**truth_values(case.question), code=shown.code, **responses)
        return Request(
            purpose="judge",
            subject=case.question.id,
            model=self.model,
            prompt_version=self._prompt.version,
            instructions=rendered.instructions,
            text=rendered.text,
            schema=self._schema,
            parameters=self._parameters,
        )

    def judge(self, cases: Sequence[Case], on_verdict: OnVerdict) -> None:
        """See `Judge`. Replies that the ledger holds are not asked for again.

        GatherStoppedError where budget, time or endpoint stop it: the cases that were answered have
        their verdicts. ValueError: no ledger, no key, a budget for a model without a price.
        """
        from mgld.llm.online import gather

        if self._options.ledger is None:
            raise ValueError(f"the judge {self.id} needs a ledger for its replies")
        waiting: dict[str, list[tuple[int, Shown]]] = {}
        requests: dict[str, Request] = {}
        for row, case in enumerate(cases):
            shown = show(case)
            if not any(shown.texts):
                on_verdict(row, self._verdict(_nothing_said(case), raw=""))
                continue
            request = self.request(case, shown)
            requests[request.key] = request
            waiting.setdefault(request.key, []).append((row, shown))
        if not requests:
            return
        with Ledger(self._options.ledger) as ledger:
            taken = time.monotonic()

            def take() -> None:
                ready = ledger.answered() & waiting.keys()
                for key, reply in ledger.replies(ready).items():
                    for row, shown in waiting.pop(key):
                        on_verdict(row, self._read(reply, shown))

            def on_reply(_: int) -> None:
                nonlocal taken
                if time.monotonic() - taken >= TAKE_SECONDS:
                    take()
                    taken = time.monotonic()

            if self._options.retry_errors:
                replies = ledger.replies(requests)
                ledger.forget(key for key, reply in replies.items() if self._is_error(reply))
            take()  # what is there needs no endpoint, nor a key for one
            left = [requests[key] for key in waiting]
            try:
                if left:
                    gather(left, ledger, self._options.llm, on_reply=on_reply)
            finally:
                take()

    @abstractmethod
    def _decide(self, value: Any, shown: Shown) -> Decision:
        """What a valid reply says of the five."""

    def _is_error(self, reply: StoredReply) -> bool:
        said = read_reply(reply.api, reply.http_status, reply.raw)
        if said.status == "ok":
            return read_structured(self._reply, said.text).value is None
        return said.status == "error"

    def _read(self, reply: StoredReply, shown: Shown) -> Verdict:
        said = read_reply(reply.api, reply.http_status, reply.raw)
        raw = said.text or reply.raw.decode(errors="replace")[:MAX_RAW]
        known = {"raw": raw, "answered_by": said.model, "date": _date(reply.at)}
        if said.status != "ok":
            kind = "refused" if said.status == "refused" else "no reply"
            return self._verdict(_unscored(f"{kind}: {said.reason}"), **known)
        found = read_structured(self._reply, said.text)
        if found.value is None:
            cut = "cut off at max_output_tokens; " if said.truncated else ""
            return self._verdict(_unscored(f"{cut}no valid reply: {found.reason}"), **known)
        return self._verdict(self._decide(found.value, shown), **known)

    def _verdict(
        self, decision: Decision, raw: str, answered_by: str = "", date: str = ""
    ) -> Verdict:
        return Verdict(
            level=decision.level,
            explanation=decision.explanation,
            reason=decision.reason,
            identified=decision.identified,
            hinted=decision.hinted,
            spans=decision.spans or {},
            judge=self.id,
            prompt_hash=self.prompt_hash,
            raw=raw,
            answered_by=answered_by,
            date=date,
        )


class PaperJudge(ModelJudge):
    """One look at all five answers."""

    protocol = "paper"
    _file, _schema_name, _reply = "judge_paper.md", PAPER_SCHEMA, PaperReply

    def _decide(self, value: PaperReply, shown: Shown) -> Decision:
        return Decision(value.level, _clean(value.explanation))


class StrictJudge(ModelJudge):
    """A verdict on each answer, whose words must show it; the level is counted here.

    A claim whose span does not occur in its answer is void. Where the level would be another one if
    void claims were true, the question is unscored: a judge's failure moves no level, up or down.
    """

    protocol = "strict"
    _file, _schema_name, _reply = "judge_strict.md", STRICT_SCHEMA, StrictReply

    def _decide(self, value: StrictReply, shown: Shown) -> Decision:
        explanation = [_clean(value.explanation)] if value.explanation.strip() else []
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
            explanation.append(f"draw {draw} {said.verdict} ({_clean(said.span)!r}{mark})")
        identified, hinted = sorted(found["identifies"]), sorted(found["hints"])
        level = level_of(len(identified), len(hinted))
        if_true = level_of(
            len(identified) + len(void["identifies"]), len(hinted) + len(void["hints"])
        )
        said_all = "; ".join(explanation)
        if if_true != level:
            draws = sorted(void["identifies"] + void["hints"])
            reason = f"claims without evidence on draws {draws} decide the level"
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


def _nothing_said(case: Case) -> Decision:
    """Five empty answers are an answer; where all draws failed, nothing is known of the model."""
    if all(answer.status == "error" for answer in case.answers):
        return _unscored("no answer is there")
    return Decision("unknown", "No draw has any text; no model was asked.", [], [])


def _unscored(reason: str) -> Decision:
    return Decision("unscored", "", reason=_clean(reason))


def _clean(text: str) -> str:
    """One line of `text`."""
    return " ".join(text.split())


def _date(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).date().isoformat()


@cache
def _load(file: str, schema: str) -> Prompt:
    prompt = load_prompt_file("mgld.evaluate", file, placeholders=_PLACEHOLDERS)
    if prompt.schema != schema:
        raise ValueError(f"prompt {file} asks for the schema {prompt.schema}, it must be {schema}")
    return prompt
