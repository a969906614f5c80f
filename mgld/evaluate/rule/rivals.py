"""What else than the landmark an answer says the picture shows.

Definition: docs/definitions.md, "Grading".
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cache
from typing import NamedTuple

from mgld.annotate.wording import words as as_set
from mgld.evaluate.rule.claims import MOST_GAP, Finding, Said, Strength
from mgld.evaluate.rule.clauses import clause_start, negated
from mgld.evaluate.rule.naming import common_words, is_common
from mgld.evaluate.rule.reading import Tokens
from mgld.evaluate.rule.words import word_set

_NOT_NAMED = frozenset(("in", "at", "by", "from", "inside", "within", "one"))
_SUBJECT_ENDS = ("is", "was", "are", "stands", "rises", ",")
_LINKS = as_set("of the de la le les du des del di da and & in a")


class Rival(NamedTuple):
    """A claim that the picture shows something else: its tokens and how strong it is."""

    first: int
    end: int
    strength: int


def find_rivals(said: Said, claim: Finding) -> list[Rival]:
    """Claims that name something that is neither the landmark nor a place, nor a mere kind.

    Weak ones only where they may outweigh `claim`.
    """
    tokens = said.tokens
    taken = {token for each in said.mentions for token in range(each.first, each.end)}
    taken |= {token for each in said.places for token in range(each.first, each.end)}
    rivals: list[Rival] = []
    fragments: list[Rival] = []
    firm = tokens.said & word_set("firm")
    cues = [at for at, word in enumerate(tokens.words) if word in firm] if firm else []
    for first, end in said.sentences:
        if tokens.words[end - 1] in ("?", "？"):
            continue
        rival = _claimed(tokens, cues, first, end, taken)
        fragment = None if rival else _fragment(tokens, first, end, taken)
        if not rival and (fragment or claim.strength == Strength.WEAK):
            rival = _subject(tokens, first, end, taken)
        if rival:
            rivals.append(rival)
        elif fragment:
            fragments.append(fragment)
    # A lone capital word ("Sure!") is a name only in a column of them.
    wide = [each for each in fragments if each.end - each.first > 1]
    return rivals + (fragments if len(fragments) > 2 else wide)


def _claimed(
    tokens: Tokens, cues: list[int], first: int, end: int, taken: set[int]
) -> Rival | None:
    """The first name that a sentence claims beside the landmark's own; cues: of the text."""
    words = tokens.words
    for at in cues[bisect_left(cues, first) : bisect_left(cues, end)]:
        name = _name_behind_cue(tokens, at + 1, end, taken)
        if not name or words[at + 1] == "of":
            continue
        start = clause_start(tokens, at, first)
        if negated(words, start, at + 1):
            continue
        # "when Estonia was part of the Russian Empire" says nothing of the picture.
        if not tokens.cased or _points(words[start : at + 1]):
            return Rival(*name, _strength_of(words[start : name[0]]))
    return None


def _subject(tokens: Tokens, first: int, end: int, taken: set[int]) -> Rival | None:
    """The name that a sentence starts with as its subject, beside the landmark's own."""
    words = tokens.words
    opening = first
    while opening < end and words[opening] in word_set("articles"):
        opening += 1
    run = opening
    while run < end and tokens.caps[run] and run not in taken:
        run += 1
    subject = run - opening > 1 or (run > opening > first)
    subject = subject and run < end and words[run] in _SUBJECT_ENDS
    if subject and word_set("not_names").isdisjoint(words[opening:run]):
        return Rival(opening, run, Strength.WEAK)
    return None


def _name_behind_cue(tokens: Tokens, at: int, end: int, taken: set[int]) -> tuple[int, int] | None:
    """Tokens of the capital name that follows a cue, over adjectives, or None."""
    words = tokens.words
    no_names, over = _no_names(), _passed_over()
    start = at
    while at < end and at - start <= MOST_GAP:
        word = words[at]
        if at in taken or word in no_names or not word[0].isalnum():
            return None
        if tokens.cased and tokens.caps[at] and not word.isdigit():
            if word in word_set("not_names"):
                return None
            run = at
            while run < end and tokens.caps[run] and run not in taken:
                run += 1
            behind = run
            while behind < end and words[behind] in _LINKS and behind not in taken:
                behind += 1
            # "the Basilica of the Sagrada Familia": a kind before the name.
            leads = is_common(tuple(words[at:run])) and behind in taken
            return None if leads else (at, run)
        if word not in over:
            if word.endswith(("ed", "ing")) or word in word_set("follows"):
                return None
            if not tokens.cased:
                return at, min(at + 2, end)
        at += 1
    return None


@cache
def _no_names() -> frozenset[str]:
    """Words behind a cue after which no name is claimed."""
    keys = ("negators", "indefinite", "relations")
    return _NOT_NAMED.union(*map(word_set, keys))


@cache
def _passed_over() -> frozenset[str]:
    """Words that may stand between a cue and the name."""
    return word_set("between") | word_set("firm")


def _points(before: list[str]) -> bool:
    """Whether the subject of a claim is the picture or what it shows."""
    return not _pointers().isdisjoint(before)


@cache
def _pointers() -> frozenset[str]:
    return word_set("pointing") | (common_words() - _LINKS)


def _strength_of(before: list[str]) -> int:
    if not word_set("settled").isdisjoint(before):
        return Strength.SETTLED
    return Strength.FIRM if word_set("hedges").isdisjoint(before) else Strength.HEDGED


def _fragment(tokens: Tokens, first: int, end: int, taken: set[int]) -> Rival | None:
    """A sentence that is nothing but another capital name (and numbers, articles, places)."""
    words = tokens.words
    own: list[int] = []
    for at in range(first, end):
        word = words[at]
        if at in taken or not word[0].isalnum() or word.isdigit() or word in _LINKS:
            continue
        if not tokens.caps[at] or not tokens.cased or word in word_set("not_names"):
            return None
        own.append(at)
    # Where the landmark's own name is in the fragment, what is behind it was looked at already.
    if not own or any(at in taken for at in range(first, own[0])):
        return None
    return Rival(own[0], own[-1] + 1, Strength.FIRM) if len(own) <= 8 else None
