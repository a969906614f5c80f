"""Whether one answer as a whole identifies the landmark, hints at it, or neither.

Definition: docs/definitions.md, "Grading".
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import compress, count
from typing import NamedTuple

from mgld.evaluate.rule.claims import (
    Finding,
    Said,
    Strength,
    findings,
    take_apart,
)
from mgld.evaluate.rule.hints import place_hint
from mgld.evaluate.rule.legible import read_legibly, spelled_out
from mgld.evaluate.rule.naming import Names
from mgld.evaluate.rule.places import Places, all_phrases
from mgld.evaluate.rule.reading import fold_name, fold_text, screen_word, tokenize
from mgld.evaluate.rule.rivals import Rival, find_rivals
from mgld.evaluate.rule.unspaced import STAND_IN, find_unspaced, mostly_spaced
from mgld.evaluate.rule.words import word_set

# Letters that lose more than an accent when they are folded, and all other scripts.
_NOT_PLAIN = re.compile("[łøđðþæœßŁØĐÐÞÆŒıİ\u0250-\u2012\u2020-\U0010ffff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")
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
        if any(map(text.__contains__, self.capitals)):
            return True
        if not text.isascii():
            for letter in set(_NOT_ASCII.findall(text)):
                plain_letter = _plain_letter(letter)
                if plain_letter is None:
                    return True
                text = text.replace(letter, plain_letter)
        plain = text.lower().replace("'", "")
        return any(map(plain.__contains__, self.screens))


@lru_cache(maxsize=4096)
def _plain_letter(letter: str) -> str | None:
    """A letter without its accent, in ASCII; None where folding does more to it than that."""
    if _NOT_PLAIN.search(letter):
        return None
    return unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()


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


def weigh(raw: str, landmark: Landmark) -> Weighed:
    """Read one answer. Linear in its length, which is capped."""
    text, problem = read_legibly(raw)
    if problem:
        return Weighed("neither", f"not read: {problem}", "")
    if not text.strip():
        return Weighed("neither", "empty", "")
    if landmark.names.unspaced:
        # As words are folded, so that neither capitals nor accents nor marks between them hide it.
        if "".join(fold_name(STAND_IN)) in "".join(fold_text(text)):
            return Weighed("neither", "not read: it has the rule's own word", "")
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
        against = [each for each in find_rivals(said, best) if _outweighs(each, best)]
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
    words, not_names = tokens.words, word_set("not_names")
    names: set[tuple[str, ...]] = set()
    first = end = 0
    for at in [*compress(count(), tokens.caps), len(words) + 1]:
        if at < len(words) and words[at] in not_names:
            continue
        if at != end:
            if end - first > 1:
                names.add(tuple(words[first:end]))
            first = at
        end = at + 1
    return len(names)
