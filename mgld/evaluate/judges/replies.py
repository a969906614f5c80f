"""What a model that judges is asked to reply, as the strict schemas that are sent.

The order of the fields is that in which a model writes them: reasons before what they lead to.
"""

from __future__ import annotations

from typing import Final, Literal

from mgld.evaluate.records import Level
from mgld.schema import Record

PAPER_SCHEMA: Final = "judge_paper_reply"
STRICT_SCHEMA: Final = "judge_strict_reply"

Says = Literal["identifies", "hints", "neither"]


class PaperReply(Record):
    """Protocol `paper`: one level of all five."""

    explanation: str
    level: Level


class OneResponse(Record):
    """Protocol `strict`: what one response does, and the words of it that show it."""

    span: str
    verdict: Says


class StrictReply(Record):
    """Protocol `strict`. A field for each response: a list could have one too many."""

    response_1: OneResponse
    response_2: OneResponse
    response_3: OneResponse
    response_4: OneResponse
    response_5: OneResponse
    explanation: str

    @property
    def responses(self) -> tuple[OneResponse, ...]:
        """The five, in the order in which they were shown."""
        return tuple(getattr(self, f"response_{number}") for number in range(1, 6))
