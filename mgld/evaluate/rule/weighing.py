"""Whether one answer as a whole identifies the landmark, hints at it, or neither.

Definition: docs/definitions.md, "Grading".
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from mgld.annotate.wording import words as as_set
from mgld.evaluate.rule.claims import (
    MOST_GAP,
    Finding,
    Said,
    Strength,
    clause_start,
    findings,
    negated,
    take_apart,
)
from mgld.evaluate.rule.hints import place_hint
from mgld.evaluate.rule.legible import read_legibly, spelled_out
from mgld.evaluate.rule.naming import Names, is_common
from mgld.evaluate.rule.places import Places, all_phrases
from mgld.evaluate.rule.reading import Tokens, screen_word, tokenize
from mgld.evaluate.rule.unspaced import STAND_IN, find_unspaced, mostly_spaced
from mgld.evaluate.rule.words import word_set

# Letters that lose more than an accent when they are folded, and all other scripts.
_NOT_PLAIN = re.compile("[łøđðþæœßŁØĐÐÞÆŒıİ\u0250-\u2012\u2020-\U0010ffff]")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")
_NOT_NAMED = frozenset(("in", "at", "by", "from", "inside", "within", "one"))
_SUBJECT_ENDS = ("is", "was", "are", "stands", "rises", ",")
_LINKS = as_set("of the de la le les du des del di da and & in a")
MOST_MENTIONS = 20
"""An answer with the name more often than this is not read: it is no description."""
MOST_NAMES = 10
"""An answer with more names of several words than this hints by none of them."""


class Landmark(NamedTuple):
    """What the rule compares answers with. An answer in Latin letters must hold one of
    `screens` (in any case) or of `capitals` to name the landmark or one of its places."""

    names: Names
    places: Places
    screens: tuple[str, ...]
    capitals: tuple[str, ...]

    def may_be_in(self, text: str) -> bool:
        """False where a text surely says neither a name nor a place; a quick look."""
        if any(each in text for each in self.capitals):
            return True
        if not text.isascii():
            if _NOT_PLAIN.search(text):
                return True
            text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
        plain = text.lower().replace("'", "")
        return any(screen in plain for screen in self.screens)


def know_landmark(names: Names, places: Places) -> Landmark:
    """A landmark with its screens."""
    phrases = {form.words for forms in names.forms.values() for form in forms}
    phrases |= all_phrases(places) | ({names.own} if names.own else set())
    screens: set[str] = set()
    capitals: set[str] = set()
    for phrase in phrases:
        if max(map(len, phrase)) <= 2:
            # "US", "U.S.", "UK": nearly every text has the letters.
            capitals |= {"".join(phrase).upper(), ".".join(phrase).upper()}
        else:
            screens.add(screen_word(phrase))
    own = screen_word(names.own)
    # "Eiffelturm" needs no look of its own where "eiffel" is looked for.
    screens = {each for each in screens if own not in each} | {own} if own else screens
    return Landmark(names, places, tuple(screens), tuple(capitals))


class Weighed(NamedTuple):
    """An answer's weight: "identifies", "hints" or "neither"; span: its words that show it."""

    weight: str
    why: str
    span: str


class Rival(NamedTuple):
    """A claim that the picture shows something else: its tokens and how strong it is."""

    first: int
    end: int
    strength: int


def weigh(raw: str, landmark: Landmark) -> Weighed:
    """Read one answer. Linear in its length, which is capped."""
    text, problem = read_legibly(raw)
    if problem:
        return Weighed("neither", f"not read: {problem}", "")
    if not text.strip():
        return Weighed("neither", "empty", "")
    if landmark.names.unspaced:
        if mostly_spaced(text):
            stand_in = STAND_IN.lower() if text == text.lower() else STAND_IN
            for name in landmark.names.unspaced:
                text = text.replace(name, f" {stand_in} ")
        else:
            verdict, span = find_unspaced(text, landmark.names.unspaced)
            if verdict:
                why = "named" if verdict == "identifies" else "one of several"
                return Weighed(verdict, why, span)
    if not landmark.may_be_in(text):
        return Weighed("neither", "does not name it", "")
    tokens = tokenize(text)
    if len(tokens.said & _LETTERS) > 1 and spelled_out(text):
        return Weighed("neither", "not read: words spelled out letter by letter", "")
    said = take_apart(tokens, landmark.names, landmark.places)
    if len(said.mentions) > MOST_MENTIONS:
        return Weighed("neither", f"not read: the name stands in it {len(said.mentions)} times", "")
    found: list[Finding] = []
    if said.mentions:
        found = findings(said, landmark.names, landmark.places)
        decided = _decide(said, found, landmark.places)
        if decided:
            return decided
    hint = place_hint(said, found, landmark.names, landmark.places)
    if hint and _count_names(said) <= MOST_NAMES:
        return Weighed("hints", hint.why, quote(said, hint.first, hint.end))
    return _neither(said, found)


def quote(said: Said, first: int, end: int) -> str:
    """The words around tokens [first, end), at most some 100 characters of one sentence."""
    tokens = said.tokens
    low, high = next(
        (bound for bound in said.sentences if bound[0] <= first < bound[1]), (first, end)
    )
    low, high = max(low, first - 8), min(max(high, end), end + 4)
    return tokens.quote(low, high)[:160]


def _decide(said: Said, found: list[Finding], places: Places) -> Weighed | None:
    """What the mentions of the name come to; None where they say nothing either way."""
    claims = [each for each in found if each.kind == "claim"]
    denials = [each for each in found if each.kind == "denied"]
    last_denial = max((each.first for each in denials), default=-1)
    if claims and claims[-1].first > last_denial:
        best = max(claims, key=lambda each: (each.strength, -each.first))
        against = [each for each in _rivals(said) if _outweighs(each, best)]
        span = quote(said, best.first, best.end)
        if not against:
            return Weighed("identifies", best.why, span)
        other = quote(said, against[0].first, against[0].end)
        few = len(against) <= 2 and _count_names(said) <= MOST_NAMES
        weight = "hints" if few else "neither"
        return Weighed(weight, f'also said to be something else ("{other}")', span)
    if denials:
        return None
    beside = [each for each in found if each.kind == "beside"]
    if beside and not _only_elsewhere(said, places) and _count_names(said) <= MOST_NAMES:
        return Weighed("hints", beside[0].why, quote(said, beside[0].first, beside[0].end))
    return None


def _neither(said: Said, found: list[Finding]) -> Weighed:
    if not found:
        return Weighed("neither", "does not name it", "")
    return Weighed("neither", found[0].why, quote(said, found[0].first, found[0].end))


def _outweighs(rival: Rival, claim: Finding) -> bool:
    """Whether the answer puts `rival` at least as strongly; among weak claims the first counts."""
    if claim.strength == Strength.WEAK:
        return rival.strength > Strength.WEAK or rival.first < claim.first
    return rival.strength >= claim.strength


def _rivals(said: Said) -> list[Rival]:
    """Claims that name something that is neither the landmark nor a place, nor a mere kind."""
    tokens = said.tokens
    taken = {token for each in said.mentions for token in range(each.first, each.end)}
    taken |= {token for each in said.places for token in range(each.first, each.end)}
    rivals: list[Rival] = []
    fragments: list[Rival] = []
    for first, end in said.sentences:
        if tokens.words[end - 1] in ("?", "？"):
            continue
        rival = _claimed(said, first, end, taken)
        if rival:
            rivals.append(rival)
            continue
        fragment = _fragment(tokens, first, end, taken)
        if fragment:
            fragments.append(fragment)
    # A lone capital word ("Sure!") is a name only in a column of them.
    wide = [each for each in fragments if each.end - each.first > 1]
    return rivals + (fragments if len(fragments) > 2 else wide)


def _claimed(said: Said, first: int, end: int, taken: set[int]) -> Rival | None:
    """The first name that a sentence claims beside the landmark's own."""
    tokens = said.tokens
    words = tokens.words
    firm = word_set("firm")
    for at in [cue for cue in range(first, end) if words[cue] in firm]:
        start = clause_start(tokens, at, first)
        if negated(words, start, at + 1) or words[at + 1 : at + 2] == ["of"]:
            continue
        # "when Estonia was part of the Russian Empire" says nothing of the picture.
        if tokens.cased and not _points(words[start : at + 1]):
            continue
        name = _name_behind_cue(tokens, at + 1, end, taken)
        if name:
            return Rival(*name, _strength_of(words[start : name[0]]))
    opening = first
    while opening < end and words[opening] in word_set("articles"):
        opening += 1
    run = opening
    while run < end and tokens.caps[run] and run not in taken:
        run += 1
    subject = run - opening > 1 or (run > opening > first)
    subject = subject and run < end and words[run] in _SUBJECT_ENDS
    if subject and not set(words[opening:run]) & word_set("not_names"):
        return Rival(opening, run, Strength.WEAK)
    return None


def _name_behind_cue(tokens: Tokens, at: int, end: int, taken: set[int]) -> tuple[int, int] | None:
    """Tokens of the capital name that follows a cue, over adjectives, or None."""
    words = tokens.words
    start = at
    while at < end and at - start <= MOST_GAP:
        word = words[at]
        if at in taken or not word[0].isalnum() or word in word_set("negators"):
            return None
        if word in word_set("indefinite") or word in _NOT_NAMED or word in word_set("relations"):
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
        if word not in word_set("between") and word not in word_set("firm"):
            if word.endswith(("ed", "ing")) or word in word_set("follows"):
                return None
            if not tokens.cased:
                return at, min(at + 2, end)
        at += 1
    return None


def _points(before: list[str]) -> bool:
    """Whether the subject of a claim is the picture or what it shows."""
    said = set(before)
    return bool(said & word_set("pointing")) or any(is_common((word,)) for word in said - _LINKS)


def _strength_of(before: list[str]) -> int:
    if word_set("settled") & set(before):
        return Strength.SETTLED
    return Strength.HEDGED if word_set("hedges") & set(before) else Strength.FIRM


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


def _only_elsewhere(said: Said, places: Places) -> bool:
    """Whether the answer names places, and only such as exclude the landmark's."""
    own = any(place.own for place in said.places)
    wrong = any(
        place.known and not place.demonym and not place.own and places.conflicts(place.known)
        for place in said.places
    )
    return wrong and not own


def _count_names(said: Said) -> int:
    """How many different names of two capital words or more the answer has."""
    tokens = said.tokens
    names: set[tuple[str, ...]] = set()
    run: list[str] = []
    for word, capital in zip([*tokens.words, "."], [*tokens.caps, False], strict=True):
        if capital and word not in word_set("not_names"):
            run.append(word)
            continue
        if len(run) > 1:
            names.add(tuple(run))
        run = []
    return len(names)
