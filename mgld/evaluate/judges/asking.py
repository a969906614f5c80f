"""Asking a model about answers: what every judge with a model behind it does, whatever it judges.

Requests go through the ledger, so that what was replied once is never asked again; whatever is no
valid reply leaves the case without a finding, with the reply.
"""

from __future__ import annotations

import datetime
import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, Generic, NamedTuple, TypeVar

from pydantic import BaseModel

from mgld.evaluate.judges.base import Case, JudgeOptions
from mgld.evaluate.judges.shown import MAX_ANSWER, MAX_NAMES, MAX_TRUTH, Shown, show, truth_values
from mgld.evaluate.records import DRAWS
from mgld.llm.ledger import Ledger, StoredReply
from mgld.llm.prompts import Prompt, load_prompt_file
from mgld.llm.request import OutputSchema, Parameters, Request
from mgld.llm.structured import output_schema, read_structured
from mgld.llm.wire import Reply, read_reply

READING: Final = 1
"""Goes up when replies come to be read differently; part of the prompt hash."""
TAKE_SECONDS: Final = 1.0
"""Replies are read this often."""
MAX_RAW: Final = 4_000
"""Characters of a reply that is no JSON that is kept with a finding; the ledger keeps it whole."""
_PLACEHOLDERS: Final = (
    "question", "name", "aliases", "places", "label", "reference", "code",
    *(f"response_{number}" for number in range(1, DRAWS + 1)),
)  # fmt: skip

Found = TypeVar("Found")


class Said(NamedTuple):
    """What a model replied about a case.

    value: its reply as the schema has it; None where it is no valid one, or none was asked for, and
    `reason` says why. raw, answered_by, date: as in a `Verdict`.
    """

    value: Any
    reason: str = ""
    raw: str = ""
    answered_by: str = ""
    date: str = ""


class ModelAsker(ABC, Generic[Found]):
    """What asks `model` of an OpenAI-compatible endpoint about cases, and makes findings of it."""

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
            (MAX_ANSWER, MAX_TRUTH, MAX_NAMES, *self._rules()),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    @property
    def prompt(self) -> Prompt:
        """The prompt file."""
        return self._prompt

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

    def found(self, case: Case, shown: Shown, reply: Reply, *, date: str) -> Found:
        """What a reply comes to that was not asked for by way of the ledger. date: of it, UTC."""
        return self._found(case, shown, self._said(reply, reply.text, date))

    def nothing_said(self, case: Case) -> Found:
        """Of a case in which no draw has any text: no model is asked."""
        return self._nothing_said(case)

    def _ask(self, cases: Sequence[Case], on_found: Callable[[int, Found], None]) -> None:
        """Call `on_found` once for each case. Replies that the ledger holds are not asked again.

        GatherStoppedError where budget, time or endpoint stop it: the cases that were answered have
        been found. ValueError: no ledger, no key, a budget for a model without a price.
        """
        from mgld.llm.online import gather

        if self._options.ledger is None:
            raise ValueError(f"the judge {self.id} needs a ledger for its replies")
        waiting: dict[str, list[tuple[int, Shown]]] = {}
        requests: dict[str, Request] = {}
        for row, case in enumerate(cases):
            shown = show(case)
            if not any(shown.texts):
                on_found(row, self._nothing_said(case))
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
                        on_found(row, self._found(cases[row], shown, self._read(reply)))

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
                    gather(
                        left,
                        ledger,
                        self._options.llm,
                        on_reply=on_reply,
                        budget_option=self._options.budget_option,
                    )
            finally:
                take()

    @abstractmethod
    def _rules(self) -> tuple[object, ...]:
        """What findings depend on besides: part of the prompt hash."""

    @abstractmethod
    def _nothing_said(self, case: Case) -> Found:
        """Of a case in which no draw has any text: no model is asked."""

    @abstractmethod
    def _found(self, case: Case, shown: Shown, said: Said) -> Found:
        """What a reply comes to, valid or not."""

    def _is_error(self, reply: StoredReply) -> bool:
        said = read_reply(reply.api, reply.http_status, reply.raw)
        if said.status == "ok":
            return read_structured(self._reply, said.text).value is None
        return said.status == "error"

    def _read(self, reply: StoredReply) -> Said:
        said = read_reply(reply.api, reply.http_status, reply.raw)
        raw = said.text or reply.raw.decode(errors="replace")[:MAX_RAW]
        return self._said(said, raw, _date(reply.at))

    def _said(self, said: Reply, raw: str, date: str) -> Said:
        known = {"raw": raw, "answered_by": said.model, "date": date}
        if said.status != "ok":
            kind = "refused" if said.status == "refused" else "no reply"
            return Said(None, f"{kind}: {said.reason}", **known)
        found = read_structured(self._reply, said.text)
        if found.value is None:
            cut = "cut off at max_output_tokens; " if said.truncated else ""
            return Said(None, f"{cut}no valid reply: {found.reason}", **known)
        return Said(found.value, **known)


def one_line(text: str) -> str:
    """`text` in one line."""
    return " ".join(text.split())


def _date(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).date().isoformat()


@cache
def _load(file: str, schema: str) -> Prompt:
    prompt = load_prompt_file("mgld.evaluate", file, placeholders=_PLACEHOLDERS)
    if prompt.schema != schema:
        raise ValueError(f"prompt {file} asks for the schema {prompt.schema}, it must be {schema}")
    return prompt
