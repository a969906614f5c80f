"""What makes a phrase fit to be an entity of a landmark (paper, section 4.1).

An entity is a visual or conceptual attribute: "iron lattice structure", "triangular silhouette".
Known failures are phrases that restate the landmark's name and phrases that fit every landmark.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from mgld.annotate.aliases import other_names
from mgld.annotate.labels import PREPOSITIONS, kind_words
from mgld.annotate.names import split_name
from mgld.annotate.wording import fold, tokens, words

MIN_ENTITIES = 3
MAX_ENTITIES = 8

Unfit = Literal["empty", "too long", "repeated", "generic", "name", "too many"]
"""Why a phrase is no entity. name: it gives the landmark's name or an alias away."""

# Phrases that are true of nearly any picture of a landmark, alone or as the whole of an entity.
GENERIC = words(
    """building structure landmark place location site photo photograph picture image view scene
    architecture tourist attraction monument sight object outdoor outdoors construction area nature
    natural human made interesting famous beautiful historic old"""
)
_ARTICLES = words("the a an and la le les el los las il lo gli der die das")
_FUNCTION_WORDS = PREPOSITIONS | _ARTICLES


def is_generic(phrase: str) -> bool:
    """Whether every word of `phrase` would fit any landmark ("historic building")."""
    return set(tokens(phrase)) <= GENERIC | _FUNCTION_WORDS


def is_kind(phrase: str) -> bool:
    """Whether `phrase` says a kind of place and no more: "castle", "railway station"."""
    return set(tokens(phrase)) <= kind_words() | _FUNCTION_WORDS


def restates_name(phrase: str, name: str, aliases: Iterable[str] = ()) -> bool:
    """Whether `phrase` gives the landmark's name away.

    It does if it contains a whole name or alias, or all the words by which the bare name differs
    from its kind: "Eiffel" and "Eiffel ironwork" restate "Eiffel Tower"; "tower" does not.
    """
    said = tokens(phrase)
    folded = f" {' '.join(said)} "
    # An alias that only says a kind ("the lighthouse") gives nothing away.
    telling = [each for each in [*other_names(name), *aliases] if not is_kind(each)]
    if any(f" {fold(each)} " in folded for each in [name, *telling]):
        return True
    own = set(tokens(split_name(name).bare)) - kind_words() - _FUNCTION_WORDS
    return bool(own) and own <= set(said)


class Judged(NamedTuple):
    """A candidate, trimmed, and why it is not fit: None where it is."""

    text: str
    unfit: Unfit | None


def judge_entities(
    candidates: Iterable[str], *, name: str, aliases: Iterable[str] = ()
) -> list[Judged]:
    """Every candidate in its order: fit are the first MAX_ENTITIES good ones, each once."""
    aliases = list(aliases)
    fit: set[str] = set()
    judged = []
    for candidate in candidates:
        key = fold(candidate)
        unfit: Unfit | None = None
        if not key:
            unfit = "empty"
        elif key in fit:
            unfit = "repeated"
        elif len(fit) == MAX_ENTITIES:
            unfit = "too many"
        elif is_generic(candidate):
            unfit = "generic"
        elif restates_name(candidate, name, aliases):
            unfit = "name"
        else:
            fit.add(key)
        judged.append(Judged(candidate.strip(), unfit))
    return judged


def choose_entities(
    candidates: Iterable[str], *, name: str, aliases: Iterable[str] = ()
) -> list[str]:
    """The first MAX_ENTITIES candidates that are fit, in their order, unique after folding."""
    return [
        each.text
        for each in judge_entities(candidates, name=name, aliases=aliases)
        if each.unfit is None
    ]
