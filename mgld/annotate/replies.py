"""What a model is asked to reply in stages 2 and 3, as the strict schemas that are sent.

The order of the fields is that in which a model writes them. Descriptions are left to the prompts.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from pydantic import create_model

from mgld.gldv2.labels import LABELS
from mgld.schema import Record

QA_SCHEMA = "qa_reply"
ENTITIES_SCHEMA = "entities_reply"


class QaReply(Record):
    """Stage 2. `location` comes first: a model that has said "not known" invents less after it."""

    location: str | None
    answer: str


class EntitiesReply(Record):
    """Stage 3, with a label of any spelling; `entities_reply` makes it a list."""

    entities: list[str]
    hierarchical_label: str | None
    aliases: list[str]
    place_hints: list[str]


@cache
def entities_reply(extra_labels: tuple[str, ...] = ()) -> type[EntitiesReply]:
    """`EntitiesReply` whose label is one of GLDv2's 78, one of `extra_labels`, or None."""
    label: Any = Literal[(*LABELS, *extra_labels)]
    return create_model(
        "EntitiesReply", __base__=EntitiesReply, hierarchical_label=(label | None, ...)
    )
