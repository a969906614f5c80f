"""Which records the page of annotations holds to leaf through, and what it says of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mgld.annotate.quality import Annotated, Phrase, is_ok, phrases
from mgld.keyed import order_key
from mgld.schema import EntityRecord, QaRecord, Turn

if TYPE_CHECKING:
    from mgld.report.annotations_read import Annotations, Stage

MOST_CARDS = 300
LONGEST_TEXT = 4000
"""Characters of one text on the page: a model that never stops must not fill it."""

WHY_DROPPED = {
    "name": "gives the name or an alias away",
    "repeated": "repeats another of the record",
    "generic": "fits any landmark",
    "too long": "longer than 60 characters",
    "too many": "more than eight",
    "empty": "has no word",
}


@dataclass(frozen=True)
class Card:
    """A record on the page.

    status: the worse one of both stages: error, refused, repaired, valid. agrees: how the refined
    label relates to GLDv2's. said: stage -> the reply as it came, where it was not valid as such.
    """

    landmark_id: int
    name: str
    image_id: str
    status: str
    agrees: str
    gldv2_label: str | None
    refined: str | None
    qa: QaRecord
    entities: EntityRecord | None
    turns: list[Turn]
    kept: list[Phrase]
    dropped: list[Phrase]
    said: dict[str, str]


@dataclass(frozen=True)
class Part:
    """How many records of one sort there are, and how many of them are shown."""

    words: str
    records: int
    shown: int


def choose_cards(
    found: Annotations, images: dict[int, str], *, seed: int, most: int = MOST_CARDS
) -> tuple[list[Card], list[Part]]:
    """At most `most` records, problems first, each sort in a keyed order; and what was chosen.

    images: landmark_id -> image_id. A sort of problem takes at most a third of the room where
    others need it. Landmarks that were never asked about are none.
    """
    sorts: list[tuple[str, Callable[[Annotated], bool]]] = [
        ("refused or in error", lambda each: card_status(each) in ("error", "refused")),
        ("repaired", lambda each: card_status(each) == "repaired"),
        ("with another label than GLDv2's", lambda each: agreement(each) in ("differs", "null")),
        ("with none of these", lambda _: True),
    ]
    groups: list[list[Annotated]] = [[] for _ in sorts]
    for each in found.annotated:
        if each.qa is not None and each.qa.status != "skipped":
            at = next(k for k, (_, belongs) in enumerate(sorts) if belongs(each))
            groups[at].append(each)
    for group in groups:
        group.sort(key=lambda each: order_key(seed, "report-annotations", each.landmark_id))
    shares = _shares([len(group) for group in groups], most)
    chosen = [each for group, share in zip(groups, shares, strict=True) for each in group[:share]]
    unlike = {each.landmark_id for each in chosen if card_status(each) != "valid"}
    said = found.said(unlike)
    cards = [_card(each, images.get(each.landmark_id, ""), said) for each in chosen]
    return cards, [
        Part(words, len(group), share)
        for (words, _), group, share in zip(sorts, groups, shares, strict=True)
        if group
    ]


def _shares(sizes: list[int], most: int) -> list[int]:
    """How many of each group are taken: a third of `most` at first, then what room is left."""
    shares = [min(size, most // 3) for size in sizes]
    for k in range(len(shares) - 1, -1, -1):  # the last groups give way to the first
        shares[k] -= min(shares[k], max(0, sum(shares) - most))
    for k, size in enumerate(sizes):
        shares[k] += min(size - shares[k], most - sum(shares))
    return shares


def card_status(each: Annotated) -> str:
    """The worse status of both stages; of what was skipped, that of the stage before."""
    records = [record for record in (each.qa, each.entities) if record is not None]
    for status in ("error", "refused"):
        if any(record.status == status for record in records):
            return status
    return "repaired" if any(record.repaired for record in records) else "valid"


def agreement(each: Annotated) -> str:
    """same, differs, null (GLDv2 has a label, the record none), unlabelled, or "" for no record."""
    if each.entities is None or not is_ok(each.entities):
        return ""
    label = (each.gldv2_label or "").strip()
    if not label:
        return "unlabelled"
    if each.entities.hierarchical_label is None:
        return "null"
    return "same" if each.entities.hierarchical_label == label else "differs"


def _card(each: Annotated, image_id: str, said: dict[tuple[Stage, int], str]) -> Card:
    assert each.qa is not None
    found = phrases(each.name, each.entities) if each.entities else []
    replies: dict[str, str] = {}
    records: dict[Stage, QaRecord | EntityRecord | None]
    records = {"qa": each.qa, "entities": each.entities}
    for stage, record in records.items():
        text = said.get((stage, each.landmark_id))
        if text and record is not None and (record.status != "ok" or record.repaired):
            replies[stage] = short(text)
    return Card(
        landmark_id=each.landmark_id,
        name=each.name,
        image_id=image_id,
        status=card_status(each),
        agrees=agreement(each),
        gldv2_label=(each.gldv2_label or "").strip() or None,
        refined=each.entities.hierarchical_label if each.entities else None,
        qa=each.qa,
        entities=each.entities,
        turns=[Turn(role=turn.role, content=short(turn.content)) for turn in each.qa.conversation],
        kept=[phrase for phrase in found if not phrase.dropped],
        dropped=[phrase for phrase in found if phrase.dropped],
        said=replies,
    )


def short(text: str) -> str:
    """`text`, cut where it is longer than a page should hold, and saying so.

    Half a surrogate pair, which a raw reply can spell but no file can hold, is a question mark.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]}… ({len(text) - LONGEST_TEXT:,} more characters)"
