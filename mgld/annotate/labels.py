"""Which of GLDv2's hierarchical labels the words of a name support.

The table is `prompts/labels.yaml`; nothing outside it is ever inferred. The rule follows how names
are built: English, German and Swedish names carry their kind at the end ("Lake View *Cemetery*"),
Romance names at the start ("*Lago* di Garda"), and "X of Y" has its kind in X.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from mgld.annotate.names import split_name
from mgld.annotate.questions import load_prompt
from mgld.annotate.wording import tokens, words

# A name is cut here to find its head: "Museum of Glass" -> "Museum".
_WHERE = words("in at on near")
PREPOSITIONS = _WHERE | words("of for de du des di del della da do dos van von zu am im")

Phrase = tuple[str, ...]


class _Table(NamedTuple):
    """The keyword table, by where in a name the word must stand. None blocks a label."""

    head: dict[Phrase, str | None]
    end: dict[Phrase, str | None]
    start: dict[Phrase, str | None]
    qualifier: dict[Phrase, str | None]


def label_from_name(name: str) -> str | None:
    """The hierarchical label that words of `name` support, or None where none does.

    Looked at in turn: the bracket's qualifier, the end of the bare name without "in ...", the end
    of its head (before "of", "de", ...), its start. The longest phrase wins at each place.
    """
    table = _table()
    parts = split_name(name)
    for qualifier in parts.qualifiers:
        phrase = tuple(tokens(qualifier))
        if phrase in table.qualifier:
            return table.qualifier[phrase]
    said = tokens(parts.bare)
    whole = _before(said, _WHERE)
    head = _before(said, PREPOSITIONS)
    for found, label in (
        _at_end(whole, table.end),
        _at_end(head, table.head),
        _at_start(said, table.start),
    ):
        if found:
            # "1611 Everett Avenue" is an address, hence a building on that road, not the road.
            return None if label == "road" and said[0].isdigit() else label
    return None


@cache
def kind_words() -> frozenset[str]:
    """Every single word of the table: words that name a kind of place rather than one place."""
    table = _table()
    phrases = [*table.head, *table.end, *table.start, *table.qualifier]
    return frozenset(word for phrase in phrases for word in phrase)


@cache
def supported_labels() -> frozenset[str]:
    """The labels the table can give."""
    return frozenset(load_prompt("labels.yaml")["labels"])


def is_kind_phrase(text: str) -> bool:
    """Whether `text` as a whole is an entry of the table: "City Hall", "War Memorial"."""
    phrase = tuple(tokens(text))
    return any(phrase in place for place in _table())


def _before(said: list[str], stops: frozenset[str]) -> list[str]:
    for position, word in enumerate(said):
        if position and word in stops:
            return said[:position]
    return said


def _at_end(said: list[str], table: dict[Phrase, str | None]) -> tuple[bool, str | None]:
    for first in range(len(said)):
        phrase = tuple(said[first:])
        if phrase in table:
            return True, table[phrase]
    return False, None


def _at_start(said: list[str], table: dict[Phrase, str | None]) -> tuple[bool, str | None]:
    for length in range(len(said), 0, -1):
        phrase = tuple(said[:length])
        if phrase in table:
            return True, table[phrase]
    return False, None


@cache
def _table() -> _Table:
    prompt = load_prompt("labels.yaml")
    table = _Table({}, {}, {}, {})
    rows: list[tuple[str | None, dict[str, list[str]]]] = [*prompt["labels"].items()]
    rows.append((None, prompt["none"]))
    for label, places in rows:
        for place, phrases in places.items():
            for phrase in phrases:
                key = tuple(tokens(phrase))
                getattr(table, place)[key] = label
                if place == "head":
                    table.end[key] = label
    return table
