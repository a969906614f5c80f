"""The cases of a run as data in its page: compressed JSON, which a script shows as text only."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from mgld.evaluate.judges import Case
from mgld.evaluate.records import Answer, Verdict
from mgld.report.evaluation_spans import cut_at_span

CUTS: Final = (4_000, 2_000, 1_000, 500, 250, 100)
"""Characters that a text may have on the page; shorter ones are tried where it gets too large."""
MAX_CHARACTERS: Final = 8_000_000
"""Of the page's data, which leaves room for its figures within 10 MB."""
LEVEL: Final = 4
"""Of compression: 6 makes the page a sixth smaller in four times the time."""


@dataclass(frozen=True)
class CaseData:
    """Base64 of zlib-compressed JSON. longest: where texts are cut; shortened: how many are."""

    text: str
    longest: int
    shortened: int


class Cutter:
    """Cuts texts at `longest` characters; counts how many needed it, and how long one was."""

    def __init__(self, longest: int) -> None:
        self.longest, self.shortened, self.most = longest, 0, 0

    def cut(self, text: str) -> str:
        """`text`, which says how much of it is missing where it was too long."""
        text = _unicode(text)
        self.most = max(self.most, len(text))
        if len(text) <= self.longest:
            return text
        self.shortened += 1
        return f"{text[: self.longest]}… ({len(text) - self.longest:,} more characters)"

    def parts(self, text: str, span: str) -> list[str]:
        """`text` cut, in three parts where `span` stands in it: before, span, after."""
        return cut_at_span(self.cut(text), _unicode(span))


def case_data(
    cases: list[Case], verdicts: list[Verdict], credits: dict[str, list[Any]] | None = None
) -> CaseData:
    """The cases as data, in their order. credits: of the pictures by question id, where shown."""

    def rows(cutter: Cutter) -> list[dict[str, Any]]:
        found = [case_row(*each, cutter) for each in zip(cases, verdicts, strict=True)]
        for row in found:
            if credits and row["id"] in credits:
                row["credit"] = credits[row["id"]]
        return found

    return pack(rows)


def pack(rows: Callable[[Cutter], list[dict[str, Any]]]) -> CaseData:
    """What `rows` gives, with texts as long as the page's size allows."""
    most = None
    for longest in CUTS:
        if most is not None and longest >= most:
            continue  # it would shorten nothing
        cutter = Cutter(longest)
        written = json.dumps(rows(cutter), ensure_ascii=False, separators=(",", ":")).encode()
        text = base64.b64encode(zlib.compress(written, LEVEL)).decode("ascii")
        if len(text) <= MAX_CHARACTERS:
            break
        most = cutter.most
    return CaseData(text, cutter.longest, cutter.shortened)


def case_row(case: Case, verdict: Verdict, cutter: Cutter) -> dict[str, Any]:
    """One case; what is empty or None is left out."""
    question, truth = case.question, case.question.truth
    marks = {
        draw: mark
        # The last one counts: a draw that identifies is not said to hint besides.
        for mark, draws in (("hints", verdict.hinted), ("identifies", verdict.identified))
        for draw in draws or ()
    }
    said = [
        answer_row(answer, marks.get(answer.draw), verdict.spans.get(answer.draw, ""), cutter)
        for answer in case.answers
    ]
    row = {
        "id": question.id,
        "name": cutter.cut(truth.name),
        "aliases": cutter.cut("; ".join(truth.aliases)),
        "places": cutter.cut("; ".join(truth.place_hints)),
        "label": truth.label,
        "reference": cutter.cut(truth.answer),
        "question": cutter.cut(question.text),
        "entities": cutter.cut("; ".join(question.entities)),
        "made": question.natural_or_human_made,
        "sim": question.sim,
        "rsr": question.rsr,
        "rank": question.rank,
        "images": question.images,
        "answers": said,
        "level": verdict.level,
        "identified": None if verdict.identified is None else len(set(verdict.identified)),
        "explanation": cutter.cut(verdict.explanation),
        "reason": cutter.cut(verdict.reason),
        "decided": verdict.decided_by,
        "votes": list(verdict.votes.items()),
        # Of what could not be scored, the judge's own words show why.
        "raw": cutter.cut(verdict.raw) if verdict.level == "unscored" else "",
    }
    return {key: value for key, value in row.items() if value not in (None, "", [])}


def answer_row(answer: Answer, mark: str | None, span: str, cutter: Cutter) -> dict[str, Any]:
    """One answer. mark: what the judge finds of it; span: the words that show it."""
    row: dict[str, Any] = {"mark": mark} if mark else {}
    if answer.status != "ok":
        row |= {"status": answer.status, "reason": cutter.cut(answer.reason)}
    if answer.text.strip():
        row["text"] = cutter.parts(answer.text, span)
    return row


def _unicode(text: str) -> str:
    """Half a surrogate pair, which no file can hold, is a question mark."""
    return text.encode("utf-8", "replace").decode()
