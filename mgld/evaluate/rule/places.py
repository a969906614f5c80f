"""Which places a text names, and whether they agree with those of a landmark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal, NamedTuple

from mgld.evaluate.rule.reading import Tokens, fold_name, fold_text
from mgld.evaluate.rule.words import load_words

Phrase = tuple[str, ...]
Level = Literal["country", "region", "city"]


_ORDER: tuple[Level, ...] = ("country", "region", "city")


class Known(NamedTuple):
    """A place of the list: what it is called there, its level and its country (its own)."""

    name: str
    level: Level
    country: str


class Named(NamedTuple):
    """A place in a text: tokens [first, end). `known`: its entry; None for a landmark's own hint
    that is not in the list. demonym: "Dutch". own: it is one of the landmark's."""

    first: int
    end: int
    known: Known | None
    demonym: bool
    own: bool


class Places(NamedTuple):
    """Where a landmark is. `phrases`: its hints as folded words; `known`: what is known of them."""

    phrases: dict[str, list[Phrase]]
    first_words: frozenset[str]
    countries: frozenset[str]
    regions: frozenset[str]
    cities: frozenset[str]

    def conflicts(self, place: Known) -> bool:
        """Whether something that is here cannot be in `place`."""
        if self.countries and place.country not in self.countries:
            return True
        if place.level == "region":
            return bool(self.regions) and place.name not in self.regions
        if place.level == "city":
            return bool(self.cities) and place.name not in self.cities
        return False

    def contains(self, place: Known) -> bool:
        """Whether `place` is one of these, by whatever name."""
        same = {"country": self.countries, "region": self.regions, "city": self.cities}
        return place.name in same[place.level]


def landmark_places(hints: Iterable[str]) -> Places:
    """The places of a landmark whose hints are `hints`; "Tacoma, Washington" counts as two."""
    phrases: dict[str, list[Phrase]] = {}
    listed: list[Known] = []
    levels: dict[str, set[str]] = {"country": set(), "region": set(), "city": set()}
    for hint in hints:
        for part in hint.replace("(", ",").replace(")", ",").split(","):
            phrase = fold_name(part)
            if not phrase or len("".join(phrase)) < 2:
                continue
            phrases.setdefault(phrase[0], []).append(phrase)
            known, _ = gazetteer().get(phrase, (None, False))
            if known:
                listed.append(known)
    # Countries first: the Cambridge of a landmark in Massachusetts is not the English one.
    for known in sorted(listed, key=lambda each: _ORDER.index(each.level)):
        if not levels["country"] or known.level == "country" or known.country in levels["country"]:
            levels[known.level].add(known.name)
            levels["country"].add(known.country)
    return Places(
        phrases,
        frozenset([*phrases, *(word + "s" for word in phrases)]),
        frozenset(levels["country"]),
        frozenset(levels["region"]),
        frozenset(levels["city"]),
    )


def all_phrases(places: Places) -> set[Phrase]:
    """Everything that names one of `places`: their hints, and other forms of those in the list."""
    found = {phrase for phrases in places.phrases.values() for phrase in phrases}
    for known in (*places.countries, *places.regions, *places.cities):
        found |= _forms_of().get(known, frozenset())
    return found


@cache
def _forms_of() -> dict[str, frozenset[Phrase]]:
    found: dict[str, set[Phrase]] = {}
    for phrase, (known, _) in gazetteer().items():
        found.setdefault(known.name, set()).add(phrase)
    return {name: frozenset(phrases) for name, phrases in found.items()}


def find_places(tokens: Tokens, places: Places) -> list[Named]:
    """Every place of the list or of `places` that the text names, in order, the longest first."""
    said, seconds = tokens.said, _second_words()
    starts = said & places.first_words
    # "The" starts no place where nothing else says "Hague".
    starts |= {
        word
        for word in said & _first_words()
        if not seconds[word] or not said.isdisjoint(seconds[word])
    }
    if not starts:
        return []
    found: list[Named] = []
    free = 0
    words = tokens.words
    for index in [at for at, word in enumerate(words) if word in starts]:
        word = words[index]
        if index < free or (tokens.cased and not tokens.caps[index] and word.isascii()):
            continue
        named = _named_at(tokens, index, word, places)
        if not named and word[-1] == "s" and tokens.raws[index][-2] in "'’":
            named = _named_at(tokens, index, word[:-1], places)  # "Seattle's"
        if named:
            found.append(named)
            free = named.end
    return found


@cache
def gazetteer() -> dict[Phrase, tuple[Known, bool]]:
    """Folded phrase -> the place, and whether the phrase is a demonym."""
    lists = load_words("places.yaml")
    demonyms = set(lists["demonyms"].split())
    table: dict[Phrase, tuple[Known, bool]] = {}
    for country, forms in lists["countries"].items():
        country = _state(country)
        for form in forms:
            known = Known(country, "country", country)
            table[tuple(fold_text(form))] = (known, form in demonyms)
    levels: tuple[tuple[str, Level], ...] = (("regions", "region"), ("cities", "city"))
    for key, level in levels:
        for country, names in lists[key].items():
            for name in names.split(","):
                phrase = tuple(fold_text(name))
                table.setdefault(phrase, (Known(" ".join(phrase), level, _state(country)), False))
    for one, other in lists["same"].items():
        table[tuple(fold_text(one))] = table[tuple(fold_text(other))]
    return table


def _state(country: str) -> str:
    # What is in Scotland is in the United Kingdom; the two never exclude each other.
    return "united kingdom" if country == "scotland" else country


@cache
def _lengths() -> dict[str, tuple[int, ...]]:
    """First word -> how many words the places have that start with it, the longest first."""
    found: dict[str, set[int]] = {}
    for phrase in gazetteer():
        found.setdefault(phrase[0], set()).add(len(phrase))
    return {word: tuple(sorted(each, reverse=True)) for word, each in found.items()}


@cache
def _first_words() -> frozenset[str]:
    return frozenset(_second_words())


@cache
def _second_words() -> dict[str, frozenset[str]]:
    """First word of a place, also with the s of a possessive -> the words that may be its second.

    Empty where one of these places has a single word.
    """
    seconds: dict[str, set[str]] = {}
    single: set[str] = set()
    for first, *others in gazetteer():
        for word in (first, first + "s"):
            seconds.setdefault(word, set()).update(others[:1])
            if not others:
                single.add(word)
    return {word: frozenset(() if word in single else said) for word, said in seconds.items()}


def _named_at(tokens: Tokens, index: int, word: str, places: Places) -> Named | None:
    """The place that starts at `index`, whose token is taken for `word`."""
    words = tokens.words
    if word != words[index]:
        words = [*words[:index], word, *words[index + 1 : index + 2]]
    own = _longest(words, index, places.phrases.get(word, ()))
    for length in _lengths().get(word, ()):
        phrase = _joined(words, index, length)
        if phrase is None:
            continue
        key, end = phrase
        entry = gazetteer().get(key)
        # "us" and "nice" are words; as places they are written with capitals.
        if entry and not (len(key[0]) <= 2 and not tokens.raws[index][0].isupper()):
            known, demonym = entry
            if own and (own > end or places.conflicts(known)):
                return Named(index, own, None, False, True)
            return Named(index, end, known, demonym, places.contains(known))
    if own:
        known_own, _ = gazetteer().get(tuple(words[index:own]), (None, False))
        return Named(index, own, known_own, False, True)
    return None


def _joined(words: Sequence[str], index: int, length: int) -> tuple[Phrase, int] | None:
    """`length` words from `index` on, over full stops ("D.C."), and the token after them."""
    found: list[str] = []
    end = index
    while len(found) < length and end < len(words):
        word = words[end]
        if word[0].isalnum():
            found.append(word)
        elif not (word == "." and len(found[-1]) == 1) and not (
            word == "," and words[end + 1 : end + 2] in (["dc"], ["d"])
        ):
            return None
        end += 1
    return (tuple(found), end) if len(found) == length else None


def _longest(words: Sequence[str], index: int, phrases: Iterable[Phrase]) -> int:
    """The end of the longest of `phrases` that stands at `index`, or 0."""
    ends = [
        index + len(phrase)
        for phrase in phrases
        if tuple(words[index : index + len(phrase)]) == phrase
    ]
    return max(ends, default=0)
