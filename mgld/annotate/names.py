"""What a landmark's name says besides naming it: its qualifiers, its place, its other spellings.

Wikimedia Commons tells namesakes apart by a bracket or by what follows a comma: "Christ Church
(Alexandria, Virginia)", "Yesler Terrace, Seattle, Washington", "Fram (ship, 1892)".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from mgld.annotate.wording import fold, tokens, words

_BRACKET = re.compile(r"\s*\(([^()]*)\)")
# "D.C.", "B.C.": an abbreviation that belongs to the part before it, not a place of its own.
_INITIALS = re.compile(r"^(?:\w\.)+$")
_IN_PLACE = re.compile(r"\s(?:in|near)\s+([A-Z].*)$")
_DIRECTIONS = words("north south east west central northern southern eastern western")
# Bracketed words that say what kind of thing is meant, or when; none is a place.
_NOT_PLACES = _DIRECTIONS | words(
    """ship tugboat boat steamboat schooner submarine ferry frigate lightship yacht locomotive
    aircraft building house museum church castle sculpture statue painting artwork bridge tower park
    mountain river lake island station street square band film book disambiguation interior exterior
    ruins demolished destroyed old new former original"""
)


class NameParts(NamedTuple):
    """A name taken apart.

    bare: the name without brackets and without what follows a comma; never empty for a name.
    places: names of places in brackets, after commas or after "in", in their order, unique.
    qualifiers: the comma-separated parts of the brackets, places or not.
    """

    bare: str
    places: tuple[str, ...]
    qualifiers: tuple[str, ...]


@lru_cache(maxsize=1024)  # asked for again with every phrase of a landmark
def split_name(name: str) -> NameParts:
    """Take a landmark's name apart; a name without brackets and commas is its own bare name."""
    brackets = _BRACKET.findall(name)
    outside = _BRACKET.sub("", name).strip()
    first, *after_comma = _comma_parts(outside)
    qualifiers = tuple(part for bracket in brackets for part in _comma_parts(bracket) if part)
    places: list[str] = []
    in_place = _IN_PLACE.search(first)
    if in_place:
        places.append(in_place.group(1))
    places += [part for part in after_comma if _is_place(part)]
    for bracket in brackets:
        parts = _comma_parts(bracket)
        # "(ship, 1914)": a bracket that starts with a kind holds no place at all.
        if all(_is_place(part) for part in parts):
            places += parts
    return NameParts(first or name, tuple(unique(places)), qualifiers)


def unique(texts: Iterable[str]) -> list[str]:
    """`texts` without empty ones and without those that differ only by case, accents or signs."""
    first: dict[str, str] = {}
    for text in texts:
        if fold(text):
            first.setdefault(fold(text), text.strip())
    return list(first.values())


def _comma_parts(text: str) -> list[str]:
    parts: list[str] = []
    for part in (piece.strip() for piece in text.split(",")):
        if parts and _INITIALS.match(part):
            parts[-1] += f", {part}"
        else:
            parts.append(part)
    return parts


def _is_place(part: str) -> bool:
    said = tokens(part)
    dated = any(character.isdigit() for character in part)
    return bool(said) and not dated and not set(said) <= _NOT_PLACES
