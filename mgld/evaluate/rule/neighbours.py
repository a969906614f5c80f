"""What stands around a name: another name that it is part of, or a list that it is one of."""

from __future__ import annotations

from typing import NamedTuple

from mgld.evaluate.rule.naming import Mention, Names, concept_words, is_common
from mgld.evaluate.rule.places import Named
from mgld.evaluate.rule.reading import Tokens
from mgld.evaluate.rule.words import word_set

LONGEST_BRACKET = 12
"""Tokens of a bracket, its signs among them."""
LONGEST_NAME = 6
"""Words of a name around the landmark's; a longer row of capitals is a list without commas."""
_OR = frozenset(("or", "nor", "/", "|", "oder", "ou", "eller", "lub", "ili", "vs"))
_AND = frozenset(("and", "&", "und", "et", "y", "e", "en", "och", "og", "plus"))
_JOINS = frozenset((",", ";", "、", "(", ")", "-", "–", "—", "&"))
_PREPOSITIONS = frozenset(
    ["in", "at", "of", "de", "du", "di", "near", "by", "from", "on", "im", "en", "a", "à"]
)
_GUESSING = frozenset(
    [
        "perhaps",
        "maybe",
        "possibly",
        "either",
        "even",
        "another",
        "potentially",
        "alternatively",
        "also",
    ]
)
_OPENERS = frozenset(
    ["while", "located", "standing", "situated", "built", "welcome", "meet", "behold", "majestic"]
)
_TITLES = frozenset(["historic", "famous", "iconic", "the", "downtown", "beautiful", "saint"])


class Other(NamedTuple):
    """The name is part of something else. kind: of the finding; why: in words."""

    kind: str
    why: str


def other_name_around(
    tokens: Tokens, mention: Mention, places: list[Named], first: int, end: int, names: Names
) -> Other | None:
    """Whether the words around the mention make another name of it, or a kind ("an X")."""
    words = tokens.words
    left = _names_before(tokens, mention, places, first)
    right = _names_behind(tokens, mention, places, end, names)
    if left or right:
        long = left + right + mention.end - mention.first > LONGEST_NAME
        quoted = tokens.quote(mention.first - left, mention.end + right)
        plain = not tokens.cased
        if long or plain:
            return Other("nothing", "the name runs on into other words")
        return Other("beside", f'part of another name ("{quoted}")')
    if _hyphenated(tokens, mention):
        return Other("beside", "only likened to it")
    if mention.end < end and words[mention.end] in word_set("other_thing"):
        return Other("beside", f'"{words[mention.end]}" of it')
    if not is_common(mention.form.words):
        return None
    at = mention.first - 1
    while at >= first and not tokens.caps[at] and words[at] in word_set("between"):
        if words[at] in ("the", "of", "in", "at"):
            break
        if words[at] in word_set("indefinite"):
            return Other("nothing", "said as a kind of thing")
        at -= 1
    if at >= first and words[at] in word_set("indefinite") and tokens.cased:
        return Other("nothing", "said as a kind of thing")
    return None


def _names_before(tokens: Tokens, mention: Mention, places: list[Named], first: int) -> int:
    """How many words right before the mention belong to its name or to another's."""
    words = tokens.words
    count = 0
    at = mention.first - 1
    while at >= first and words[at][0].isalnum():
        if any(place.first <= at < place.end for place in places):
            return count
        capital = tokens.caps[at] and words[at] not in word_set("between")
        capital = capital and words[at] not in word_set("cues") and words[at] not in _TITLES
        # The first word of a sentence has a capital whatever it is.
        if at == first and words[at] in _openers():
            capital = False
        if tokens.cased and tokens.caps[mention.first]:
            if not capital:
                break
        elif words[at] in word_set("precedes") or words[at] in word_set("between"):
            break
        count += 1
        if count > LONGEST_NAME:
            break
        at -= 1
    return count


def _names_behind(
    tokens: Tokens, mention: Mention, places: list[Named], end: int, names: Names
) -> int:
    """How many words right behind the mention belong to a longer name."""
    words = tokens.words
    count = 0
    at = mention.end
    while at < end and words[at][0].isalnum():
        if any(place.first <= at < place.end for place in places):
            break
        if not count and words[at] in concept_words(names.concepts):
            # "Louvre Museum" where the name is "Louvre".
            at += 1
            if at >= end or not tokens.caps[at]:
                break
            count += 1
            continue
        if tokens.cased and tokens.caps[mention.first]:
            if not tokens.caps[at] or words[at] in word_set("cues"):
                break
        elif words[at] in word_set("follows"):
            break
        count += 1
        if count > LONGEST_NAME:
            break
        at += 1
    return count


def _hyphenated(tokens: Tokens, mention: Mention) -> bool:
    """ "Eiffel-Tower-like", "Eiffel Tower-style"."""
    if mention.end >= len(tokens.words) or tokens.words[mention.end] not in word_set("other_thing"):
        return False
    joined = f"{tokens.raws[mention.end - 1]}-{tokens.raws[mention.end]}"
    return joined in tokens.text


def is_listed(tokens: Tokens, mention: Mention, places: list[Named], first: int, end: int) -> int:
    """How many names stand in the list that the mention is one of; 0 where it stands alone.

    "A, B or C"; "A / B"; a row of capital names after commas that are not places. One name behind
    "and" is company and one behind a comma a place; neither makes a list.
    """
    before = tokens.words[max(first, mention.first - 3) : mention.first]
    if "either" in before and _OR & set(tokens.words[mention.end : end]):
        return 2
    right, right_or = _row(tokens, mention.end, end, places, 1)
    left, left_or = _row(tokens, mention.first - 1, first, places, -1)
    if left or right > 1 or ((left_or or right_or) and right):
        return 1 + left + right
    return 0


def count_row(tokens: Tokens, mention: int, behind: int, first: int, end: int) -> tuple[int, bool]:
    """(names beside tokens [mention, behind) in their row, whether "or" joins one of them)."""
    right, right_or = _row(tokens, behind, end, [], 1)
    left, left_or = _row(tokens, mention - 1, first, [], -1)
    return left + right, (left_or and left > 0) or (right_or and right > 0)


def _row(tokens: Tokens, at: int, stop: int, places: list[Named], step: int) -> tuple[int, bool]:
    """(names that are no places in the row from `at` on, whether "or" joins them)."""
    words = tokens.words
    by_token = {token: place for place in places for token in range(place.first, place.end)}
    items = 0
    alternative = False
    joined = located = False
    while stop <= at if step < 0 else at < stop:
        word = words[at]
        place = by_token.get(at)
        if place:
            at = place.first - 1 if step < 0 else place.end
            joined = located = False
            continue
        aside = _bracket_aside(tokens, at, step)
        if aside:
            at += step * aside
            continue
        if word in _OR:
            joined = alternative = True
            located = False
        elif word in _AND or word in _JOINS:
            joined = True
            located = False
        elif _names_something(tokens, at, joined=joined):
            run = at
            while (stop <= run if step < 0 else run < stop) and _names_something(
                tokens, run, joined=True
            ):
                run += step
            apart = step < 0 and run >= stop and words[run] in _PREPOSITIONS
            if apart or not (joined or located):
                break
            items += joined and not located
            joined = located = False
            at = run
            continue
        elif word in _PREPOSITIONS:
            located = True
        elif word not in word_set("articles") and word not in _GUESSING:
            break
        at += step
    return items, alternative


def _bracket_aside(tokens: Tokens, at: int, step: int) -> int:
    """Tokens of a bracket that opens at `at` (seen in direction `step`) and holds no name.

    "(ship, 1909)" interrupts a row; "(Big Ben)" is one of it.
    """
    opening, closing = ("(", ")") if step > 0 else (")", "(")
    if tokens.words[at] != opening:
        return 0
    plain = False
    for length in range(1, LONGEST_BRACKET):
        inside = at + step * length
        if not 0 <= inside < len(tokens.words) or tokens.words[inside] in _OR:
            return 0
        if tokens.words[inside] == closing:
            return length + 1 if plain else 0
        plain = plain or tokens.raws[inside][0].islower()
    return 0


def _names_something(tokens: Tokens, at: int, *, joined: bool) -> bool:
    """Whether a token is a word of a name: with a capital, or, where none are used, any word."""
    word = tokens.words[at]
    if not word[0].isalnum() or word in word_set("not_names"):
        return False
    if tokens.cased:
        return tokens.caps[at] and not word.isdigit()
    return joined and word not in word_set("follows") and word not in _OR | _AND | _GUESSING


def _openers() -> frozenset[str]:
    """Words that open a sentence without being a name."""
    return _OPENERS | word_set("not_names") | word_set("precedes") | word_set("relations")
