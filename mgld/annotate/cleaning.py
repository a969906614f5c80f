"""What a model says, put into the form that records have; what it said is kept beside it.

Rules: docs/definitions.md, "Replies of models".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from mgld.annotate.entities import Judged, is_generic, is_kind, judge_entities
from mgld.annotate.names import unique
from mgld.annotate.wording import fold

MAX_PHRASE = 60
"""Characters; what is longer is a sentence and no phrase."""
_ARTICLES = ("a ", "an ", "the ")
_ENDS = " \t.,;:!?·•*-–—_\"'`“”‘’«»"


def clean_text(text: str) -> str:
    """Unicode NFC, without control characters other than line breaks, trimmed."""
    kept = (c for c in text.replace("\r\n", "\n") if c == "\n" or unicodedata.category(c) != "Cc")
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def clean_phrase(phrase: str) -> str:
    """One line, single blanks, no punctuation around it, no article before it."""
    said = " ".join(clean_text(phrase.replace("\t", " ")).split()).strip(_ENDS)
    for article in _ARTICLES:
        if said.lower().startswith(article):
            return said[len(article) :].strip(_ENDS)
    return said


def judge_phrases(raw: Iterable[str], *, name: str, aliases: Iterable[str]) -> list[Judged]:
    """Each of a model's entities, cleaned, and why one is not fit."""
    phrases = [clean_phrase(each) for each in raw]
    short = [each for each in phrases if len(each) <= MAX_PHRASE]
    judged = iter(judge_entities(short, name=name, aliases=aliases))
    return [
        next(judged) if len(each) <= MAX_PHRASE else Judged(each, "too long") for each in phrases
    ]


def clean_entities(raw: Iterable[str], *, name: str, aliases: Iterable[str]) -> list[str]:
    """The fit ones of a model's entities: see `mgld.annotate.entities.judge_entities`."""
    judged = judge_phrases(raw, name=name, aliases=aliases)
    return [each.text for each in judged if each.unfit is None]


def clean_aliases(raw: Iterable[str], *, name: str, hints: Iterable[str]) -> list[str]:
    """Other names, unique after folding; not the name, nor a place or a kind ("the castle").

    An alias is what a grader accepts as an identification, so one that fits many landmarks would
    make a wrong answer a right one.
    """
    taken = {fold(name), *map(fold, hints)}
    return [
        alias
        for alias in unique(_one_line(each) for each in raw)
        if fold(alias) not in taken and not is_kind(alias) and not is_generic(alias)
    ]


def clean_hints(raw: Iterable[str], *, name: str) -> list[str]:
    """Places, unique after folding, the landmark's own name not among them."""
    return [hint for hint in unique(_one_line(each) for each in raw) if fold(hint) != fold(name)]


def _one_line(text: str) -> str:
    return " ".join(clean_text(text).split())
