"""Whether an answer that does not name the landmark says rightly where it is.

Definition: docs/definitions.md, "Grading".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mgld.annotate.wording import words as as_set
from mgld.evaluate.rule.claims import Finding, Said
from mgld.evaluate.rule.clauses import clause_start, negated
from mgld.evaluate.rule.naming import Names, concept_words, is_common
from mgld.evaluate.rule.neighbours import count_row
from mgld.evaluate.rule.places import Named, Places
from mgld.evaluate.rule.reading import Tokens
from mgld.evaluate.rule.words import word_set

MOST_IN_ROW = 4
"""A place in a longer row of names is one of a list."""
MOST_EXCLUDING = 2
"""With more places that exclude the landmark's, none of them is a hint."""
_LOCATIVE = as_set("in at near around from of to")
_CONTINENTS = as_set(
    "europe asia africa america americas oceania antarctica earth world western eastern"
)


class Hint(NamedTuple):
    """Tokens [first, end) say something true of where the landmark is; why: in words."""

    first: int
    end: int
    why: str


def place_hint(said: Said, found: Sequence[Finding], names: Names, places: Places) -> Hint | None:
    """The first place in the answer that is the landmark's and is said to be.

    found: what became of the name's mentions. A sentence in which one came to nothing, as one of
    many names, has no hint either.

    A town or region is a hint by itself; a country only together with the right kind of thing:
    "a building in the United States" fits too much.
    """
    tokens = said.tokens
    excluding = {
        place.known
        for place in said.places
        if place.known and not place.own and not place.demonym and places.conflicts(place.known)
    }
    if len(excluding) > MOST_EXCLUDING:
        return None
    # What a mention of the name comes to was decided; the place in it is no hint besides.
    inside = {token for each in said.mentions for token in range(each.first, each.end)}
    spoilt = {each.first for each in found if each.kind == "nothing"}
    useless = {
        token
        for first, end in said.sentences
        if any(first <= mention < end for mention in spoilt)
        for token in range(first, end)
    }
    for place in said.places:
        if (
            place.first in inside
            or place.first in useless
            or not place.own
            or not _is_said(said, place.first, place.end)
        ):
            continue
        if _excluded_by_next(said, place, places) or _in_other_name(said, place):
            continue
        phrase = tokens.words[place.first : place.end]
        if set(phrase) <= _CONTINENTS:
            continue
        text = tokens.quote(place.first, place.end)
        if place.known and place.known.level == "country":
            kind = _kind_said(tokens, names)
            if kind:
                return Hint(place.first, place.end, f'right country and kind ("{text}", "{kind}")')
            continue
        return Hint(place.first, place.end, f'right place ("{text}")')
    return _own_words_as_place(said, names)


def _own_words_as_place(said: Said, names: Names) -> Hint | None:
    """ "in Kinderdijk" of the Kinderdijk Windmills: the name's own words as a place."""
    own = names.own
    if not own or is_common(own):
        return None
    words = said.tokens.words
    for at in range(1, len(words) - len(own) + 1):
        if words[at] != own[0] or tuple(words[at : at + len(own)]) != own:
            continue
        capital = said.tokens.caps[at] or not said.tokens.cased
        if capital and words[at - 1] in _LOCATIVE - {"of"} and _is_said(said, at, at + len(own)):
            return Hint(at, at + len(own), "the place in its name")
    return None


def _is_said(said: Said, first: int, end: int) -> bool:
    """Whether tokens [first, end) are neither asked, denied, supposed nor one of several."""
    tokens = said.tokens
    low, high = next(bound for bound in said.sentences if bound[0] <= first < bound[1])
    if tokens.words[high - 1] in ("?", "？"):
        return False
    start = clause_start(tokens, first, low)
    if negated(tokens.words, start, first):
        return False
    if not word_set("suppose").isdisjoint(tokens.words[start:first]):
        return False
    others, alternative = count_row(tokens, first, end, low, high)
    return not alternative and others < MOST_IN_ROW


def _excluded_by_next(said: Said, place: Named, places: Places) -> bool:
    """ "Paris, Texas"."""
    return any(
        other.known is not None
        and not other.own
        and not other.demonym
        and 0 <= other.first - place.end <= 2
        and places.conflicts(other.known)
        for other in said.places
    )


def _in_other_name(said: Said, place: Named) -> bool:
    """ "Washington Monument", "Old Paris": part of a name that says no place."""
    tokens = said.tokens
    if not tokens.cased or place.demonym:
        return False
    by_place = {token for other in said.places for token in range(other.first, other.end)}
    before = place.first - 1
    return (
        before >= 0
        and tokens.caps[before]
        and before not in by_place
        and tokens.words[before] not in word_set("between") | word_set("not_names") | _LOCATIVE
        and tokens.words[before] not in word_set("precedes") | word_set("relations") | _TOWARDS
    )


_TOWARDS = as_set("downtown central located")


def _kind_said(tokens: Tokens, names: Names) -> str:
    """The answer's word for the kind of thing that the landmark is, or ""."""
    fitting = concept_words(names.concepts) if names.concepts else frozenset()
    for word in tokens.words:
        if word in fitting or (word.endswith("s") and word[:-1] in fitting):
            return word
    return ""
