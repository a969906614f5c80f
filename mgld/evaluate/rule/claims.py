"""What one answer claims about a landmark's name: said, denied, one of several, in passing.

An answer identifies a landmark by the name that it says the picture shows. Each mention of the name
is looked at in its clause; then the answer's other claims are weighed against it. Nothing here
obeys an answer: its words are only compared with lists. Definition: docs/definitions.md, "Grading".
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from mgld.evaluate.rule.clauses import clause_start, denied_after, negated
from mgld.evaluate.rule.naming import Mention, Names, concept_words, find_mentions, is_common
from mgld.evaluate.rule.neighbours import is_listed, other_name_around
from mgld.evaluate.rule.places import Named, Places, find_places
from mgld.evaluate.rule.reading import Tokens, sentence_bounds
from mgld.evaluate.rule.words import word_set

MOST_GAP = 8
"""Words between "this is" and the name."""


class Strength(IntEnum):
    """How an answer puts a claim; a stronger one overrules weaker ones."""

    WEAK = 1  # subject of a sentence, apposition, "taken at X"
    HEDGED = 2  # "could be X"
    FIRM = 3  # "this is X", or the name alone
    SETTLED = 4  # "most likely X", "actually, X"


class Finding(NamedTuple):
    """What became of a mention. kind: "claim", "denied", "beside" (hints at it) or "nothing".

    why: in words, for the explanation; strength: of a claim; first, end: tokens to quote.
    """

    kind: str
    why: str
    strength: int
    first: int
    end: int


class Said(NamedTuple):
    """An answer taken apart: its tokens, sentences, the places and the landmark's names in it."""

    tokens: Tokens
    sentences: list[tuple[int, int]]
    places: list[Named]
    mentions: list[Mention]


def take_apart(tokens: Tokens, names: Names, places: Places) -> Said:
    """Find sentences, places and mentions of a tokenized answer."""
    mentions = find_mentions(tokens, names)
    named = find_places(tokens, places)
    taken = {token for each in mentions for token in range(each.first, each.end)}
    taken |= {token for each in named for token in range(each.first, each.end)}
    # The Tokyo of "Tokyo Tower" says no place; that of "Tokyo Japan" does.
    named = [each for each in named if not _goes_on(tokens, each.end, taken)]
    return Said(tokens, sentence_bounds(tokens), named, mentions)


def _goes_on(tokens: Tokens, at: int, taken: set[int]) -> bool:
    """Whether token `at` is a capital word that carries on the name before it."""
    return (
        tokens.cased
        and at < len(tokens.words)
        and tokens.caps[at]
        and at not in taken
        and tokens.words[at] not in word_set("not_names")
        and tokens.words[at] not in word_set("cues")
    )


def findings(said: Said, names: Names, places: Places) -> list[Finding]:
    """One finding for each mention, in order."""
    found: list[Finding] = []
    for mention in said.mentions:
        first, end = _sentence_of(said.sentences, mention.first)
        kind, why, strength = _look_at(said, mention, first, end, names, places)
        found.append(Finding(kind, why, strength, mention.first, mention.end))
    return found


def _look_at(
    said: Said, mention: Mention, first: int, end: int, names: Names, places: Places
) -> tuple[str, str, int]:
    tokens = said.tokens
    words = tokens.words
    if words[end - 1] in ("?", "？"):
        return "nothing", "asked, not said", 0
    start = clause_start(tokens, mention.first, first)
    denied = negated(words, start, mention.first) or denied_after(words, mention.end, end)
    other = other_name_around(tokens, mention, said.places, first, end, names)
    if other:
        return ("nothing" if denied else other.kind), other.why, 0
    if denied:
        return "denied", "denied", 0
    if not word_set("suppose").isdisjoint(words[start : mention.first]):
        return "nothing", "supposed, not said", 0
    if not word_set("judging").isdisjoint(words[first:end]):
        return "nothing", "said to the judge", 0
    listed = is_listed(tokens, mention, said.places, first, end)
    if listed:
        return ("beside" if listed <= 3 else "nothing"), f"one of {listed} or more names", 0
    kind, why, strength = _claim(said, mention, start, first, end, names)
    if kind == "claim":
        elsewhere = _elsewhere(said, mention, end, names, places)
        if elsewhere:
            return "nothing", elsewhere, 0
        if mention.form.needs_place and not _placed(said, mention, end):
            return "nothing", "a kind of landmark, without its place", 0
    return kind, why, strength


def _claim(
    said: Said, mention: Mention, start: int, first: int, end: int, names: Names
) -> tuple[str, str, int]:
    """Whether the way from a cue to the name is free, and how strong the cue is."""
    tokens = said.tokens
    words = tokens.words
    cues, firm = word_set("cues"), word_set("firm")
    relations, between = word_set("relations"), word_set("between")
    weak = False
    at = mention.first - 1
    gap = 0
    while at >= start and gap <= MOST_GAP:
        word = words[at]
        before = words[at - 1] if at > start else ""
        if word in firm or (word == "known" and words[at + 1] == "as"):
            return "claim", "named", _strength(words, start, mention.first, firm=True)
        if word == "of" and before in word_set("apart_from"):
            likened = before in word_set("likeness")
            return "nothing" if likened else "beside", f'only "{before} of" it', 0
        if word == "like" and before in ("looks", "look", "looking"):
            return "claim", "named", Strength.HEDGED
        if word in word_set("likeness"):
            return "nothing", f'only likened to it ("{word}")', 0
        if word in relations:
            return "beside", f'only set beside it ("{word}")', 0
        if word == "," or not word[0].isalnum():
            break
        if word in cues:
            weak = True
        elif (
            tokens.cased
            and tokens.caps[at]
            and at > first
            and word not in between
            and word not in concept_words(names.concepts)
            and not any(place.first <= at < place.end for place in said.places)
        ):
            return "beside", "named in passing", 0
        at -= 1
        gap += 1
    if gap > MOST_GAP:
        return "beside", "named in passing", 0
    if _alone(said, mention, first, end):
        return "claim", "named", Strength.FIRM
    settled = _strength(words, start, mention.first, firm=False)
    if weak or settled == Strength.SETTLED:
        return "claim", "named", settled
    # The subject of its sentence, or in apposition.
    return "claim", "named", Strength.WEAK


def _strength(words: list[str], start: int, end: int, *, firm: bool) -> int:
    before = words[start:end]
    if not word_set("settled").isdisjoint(before):
        return Strength.SETTLED
    if not firm:
        return Strength.WEAK
    return Strength.FIRM if word_set("hedges").isdisjoint(before) else Strength.HEDGED


def _alone(said: Said, mention: Mention, first: int, end: int) -> bool:
    """Whether the sentence holds the name, its article and places, and nothing else."""
    tokens = said.tokens
    words = tokens.words
    allowed = word_set("articles") | {"in", "at", "of"}
    for at in range(first, end):
        inside = mention.first <= at < mention.end
        word = words[at]
        if inside or not word[0].isalnum() or word in allowed or tokens.caps[at]:
            continue
        return False
    return True


def _placed(said: Said, mention: Mention, end: int) -> bool:
    """Whether one of the landmark's places stands right before the name or behind it."""
    for place in said.places:
        if not place.own:
            continue
        if 0 <= mention.first - place.end <= 2 or mention.end <= place.first < end:
            return True
    return False


def _elsewhere(said: Said, mention: Mention, end: int, names: Names, places: Places) -> str:
    """Why the answer puts this name elsewhere than where the landmark is, or ""."""
    tokens = said.tokens
    words = tokens.words
    # "Greek" in "Greek Orthodox Church" says nothing of where it is.
    inside = {token for each in said.mentions for token in range(each.first, each.end)}
    own = [place for place in said.places if place.own and not place.demonym]
    shared = names.qualified or is_common(mention.form.words)
    wrong = [
        place
        for place in said.places
        if place.known
        and not place.own
        and place.first not in inside
        and (shared if place.demonym else _stands_as_place(words, place))
        and places.conflicts(place.known)
    ]
    attached = [
        place for place in wrong if -3 <= place.first - mention.end <= 4 and place.first < end
    ]
    chained = any(0 <= other.first - mention.end <= 6 and other.first < end for other in own)
    for place in attached:
        if not chained:
            return f"put in {_quote(tokens, place.first, place.end)}"
    if wrong and not own:
        return f"put in {_quote(tokens, wrong[0].first, wrong[0].end)}"
    if names.qualified and not _says(tokens, names.town):
        foreign = _town_behind(said, mention, end)
        if foreign:
            return f"put in {foreign}"
    return ""


def _stands_as_place(words: list[str], place: Named) -> bool:
    before = words[place.first - 1] if place.first else "in"
    return before in ("in", "of", "at", "near", ",", "(", "from", "a", "en", "im", "les") or (
        before == "\n"
    )


def _town_behind(said: Said, mention: Mention, end: int) -> str:
    """The first capital name behind "in", or right behind ", " or "(", if it is no own place."""
    tokens = said.tokens
    words, caps = tokens.words, tokens.caps
    own = {place.first for place in said.places if place.own}
    for at in range(mention.end, end - 1 if tokens.cased else 0):
        near = words[at] in ("in", "at", "of", "im") or (
            at == mention.end and words[at] in (",", "(", "on", "from", "near")
        )
        behind = words[at + 1]
        if not near or not caps[at + 1] or behind[0].isdigit() or behind in _no_towns():
            continue
        if at + 1 in own:
            return ""
        last = at + 1
        while last < end and caps[last]:
            last += 1
        return _quote(tokens, at + 1, last)
    return ""


def _says(tokens: Tokens, phrase: tuple[str, ...]) -> bool:
    """Whether the words hold `phrase`."""
    if len(phrase) < 2 or not tokens.said.issuperset(phrase):
        return tokens.said.issuperset(phrase)
    words, length = tokens.words, len(phrase)
    return any(tuple(words[at : at + length]) == phrase for at in range(len(words) - length + 1))


def _no_towns() -> frozenset[str]:
    return word_set("not_names") | word_set("articles")


def _quote(tokens: Tokens, first: int, end: int) -> str:
    return tokens.quote(first, end)


def _sentence_of(sentences: list[tuple[int, int]], index: int) -> tuple[int, int]:
    for first, end in sentences:
        if first <= index < end:
            return first, end
    raise ValueError(f"token {index} is in no sentence")
