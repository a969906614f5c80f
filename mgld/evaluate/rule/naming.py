"""Where a text says a landmark's name: in any of its forms, and nothing but the name.

A form is the name without brackets and what follows a comma, an alias likewise, and either with
its kind said in another language ("Tour Eiffel", "Eiffelturm"). Definition: docs/definitions.md,
"Grading".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import NamedTuple

from mgld.annotate.entities import GENERIC
from mgld.annotate.labels import PREPOSITIONS, is_kind_phrase, kind_words
from mgld.annotate.names import split_name
from mgld.annotate.wording import words as as_set
from mgld.evaluate.rule.reading import ABBREVIATIONS, Tokens, fold_name, fold_text
from mgld.evaluate.rule.unspaced import STAND_IN, is_unspaced
from mgld.evaluate.rule.words import load_words, word_set

Phrase = tuple[str, ...]
# Words that tell no landmark from another of its kind.
_COMMON = as_set(
    """north south east west central upper lower old new great grand big little first second third
    main local public municipal national royal saint presbyterian methodist baptist lutheran
    catholic episcopal united evangelical trinity christ community district county state city town
    blue red white black green golden mary marys peter peters paul pauls john johns michael michaels
    nicholas martin martins george georges james andrew andrews joseph anne catherine francis
    stephen stephens lawrence luke mark marks thomas holy cross lady sacred heart our all saints"""
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
_LINKS = PREPOSITIONS | as_set("the a la le les l el los las il lo gli der die das d do")
_INSIDE = as_set(", . - – — & ( ) ' the in of de di du da del von van zu at")


class Form(NamedTuple):
    """One way to write the name. kinds: words one of which must stand beside `words` (the name
    less its kind); empty for a whole name. linked: those that may with a link between, as in
    "windmills of X". needs_place: it is a name only with its place."""

    words: Phrase
    kinds: frozenset[str]
    needs_place: bool
    linked: frozenset[str] = frozenset()


class Names(NamedTuple):
    """A landmark's names. forms: by their first word, longest first; first_words: these,
    also with the s of a possessive. unspaced: names in scripts
    without blanks. own: the name less kind and place. concepts: what kind of thing it is.
    qualified: the name says a place so as to tell namesakes apart; town: the first that it says."""

    forms: dict[str, list[Form]]
    first_words: frozenset[str]
    unspaced: tuple[str, ...]
    own: Phrase
    concepts: frozenset[str]
    qualified: bool
    town: Phrase


class Mention(NamedTuple):
    """Tokens [first, end) say the name in this form."""

    first: int
    end: int
    form: Form


def landmark_names(name: str, aliases: Iterable[str], label: str | None) -> Names:
    """All forms of a name and its aliases; `label` says its kind where the name does not."""
    parts = split_name(name)
    # In an order that does not hang on hashes: between forms of one length the first one counts.
    forms: dict[Form, None] = {}
    unspaced: list[str] = []
    seen: set[str] = set()
    own: Phrase = ()
    concepts: set[str] = set(_label_concepts(label))
    qualified = bool(parts.places)
    town = fold_name(parts.places[0]) if qualified else ()
    for position, each in enumerate([name, *aliases]):
        bare = split_name(each).bare
        if is_unspaced(bare):
            unspaced.append(unicodedata.normalize("NFKC", bare))
            forms[Form(fold_name(STAND_IN), frozenset(), False)] = None
            continue
        for text in dict.fromkeys((_before_place(bare), bare, bare.translate(_UMLAUTS))):
            if text in seen:
                continue
            seen.add(text)
            phrase = fold_name(text)
            if not phrase:
                continue
            placed = is_kind_phrase(text) or (is_common(phrase) and (qualified or len(phrase) == 1))
            forms |= dict.fromkeys(Form(each, frozenset(), placed) for each in _whole(phrase))
            rest, kinds = _take_kind_off(phrase)
            if position == 0:
                concepts |= kinds
                own = own or rest
            if rest and kinds and not is_common(rest):
                forms |= dict.fromkeys(_in_other_words(phrase, rest, kinds))
    index: dict[str, list[Form]] = {}
    for form in sorted(forms, key=lambda form: (-len(form.words), len(form.kinds), form.words)):
        index.setdefault(form.words[0], []).append(form)
    first_words = frozenset([*index, *(word + "s" for word in index)])
    return Names(index, first_words, tuple(unspaced), own, frozenset(concepts), qualified, town)


def find_mentions(tokens: Tokens, names: Names) -> list[Mention]:
    """Every place where the text has one of the forms, in order, not overlapping."""
    starts = names.first_words & tokens.said
    if not starts:
        return []
    found: list[Mention] = []
    free = 0
    for index in [at for at, word in enumerate(tokens.words) if word in starts]:
        if index < free:
            continue
        word = tokens.words[index]
        mention = _mention_at(tokens, index, names.forms.get(word) or names.forms[word[:-1]])
        if mention:
            found.append(mention)
            free = mention.end
    return found


def is_common(phrase: Phrase) -> bool:
    """Whether the words fit many landmarks: kinds, directions, "old", "first", "Japanese"."""
    return common_words().issuperset(phrase)


@cache
def kind_concepts() -> dict[str, frozenset[str]]:
    """Word for a kind -> the concepts it may say ("schloss": castle, palace)."""
    table: dict[str, set[str]] = {}
    for concept, phrases in load_words("kinds.yaml")["kinds"].items():
        for phrase in phrases:
            table.setdefault(" ".join(fold_text(phrase)), set()).add(concept)
    return {word: frozenset(concepts) for word, concepts in table.items()}


@cache
def concept_words(concepts: frozenset[str]) -> frozenset[str]:
    """All words for any of `concepts`."""
    return frozenset(word for word, said in kind_concepts().items() if said & concepts)


@cache
def common_words() -> frozenset[str]:
    """The words that fit many landmarks; see `is_common`."""
    demonyms = frozenset(load_words("places.yaml")["demonyms"].split())
    folded = {word for each in kind_words() for word in fold_text(each)}
    return _COMMON | GENERIC | _LINKS | demonyms | kind_words() | folded


@cache
def _label_concepts(label: str | None) -> tuple[str, ...]:
    if not label:
        return ()
    listed = load_words("kinds.yaml")["labels"].get(label)
    return tuple(listed or kind_concepts().get(label, ()))


def _before_place(bare: str) -> str:
    """ "Rialto Theater in Tacoma" -> "Rialto Theater"; a name that says no place as it is."""
    place = split_name(bare).places
    head, marker, _ = bare.partition(" in ")
    return head if place and marker else bare


def _whole(phrase: Phrase) -> list[Phrase]:
    """The phrase, and without the article it starts with if more than a kind is left."""
    whole = tuple(word for word in phrase if word != "the") or phrase
    wholes = [whole]
    if len(whole) > 2 and whole[0] in word_set("articles") and not is_common(whole[1:]):
        wholes.append(whole[1:])
    # Singular and plural of a kind: "Kinderdijk Windmills".
    if len(whole) > 1 and whole[-1].endswith("s") and whole[-1][:-1] in kind_words():
        wholes.append((*whole[:-1], whole[-1][:-1]))
    elif len(whole) > 1 and whole[-1] + "s" in kind_words():
        wholes.append((*whole[:-1], whole[-1] + "s"))
    return wholes


def _take_kind_off(phrase: Phrase) -> tuple[Phrase, frozenset[str]]:
    """(name less its kind and what links them, concepts of the kind); "" where there is none."""
    concepts = kind_concepts()
    for length in (2, 1):
        if len(phrase) > length:
            if " ".join(phrase[-length:]) in concepts:
                return _unlinked(phrase[:-length]), concepts[" ".join(phrase[-length:])]
            if " ".join(phrase[:length]) in concepts:
                return _unlinked(phrase[length:]), concepts[" ".join(phrase[:length])]
    if len(phrase) == 1:
        for ending in load_words("kinds.yaml")["compound"]:
            stem = phrase[0].removesuffix(ending)
            if stem != phrase[0] and len(stem) >= 4 and ending in concepts:
                return (stem,), concepts[ending]
    return phrase, frozenset()


def _unlinked(phrase: Phrase) -> Phrase:
    while phrase and phrase[0] in _LINKS:
        phrase = phrase[1:]
    while phrase and phrase[-1] in _LINKS:
        phrase = phrase[:-1]
    return phrase


def _in_other_words(phrase: Phrase, rest: Phrase, kinds: frozenset[str]) -> list[Form]:
    """Forms with the kind in another word than the name's own."""
    said = concept_words(kinds)
    # The same word in the other order is another name ("Lake George", "George Lake").
    others = _kinds_without(kinds, _single_words(kinds).intersection(phrase))
    forms = [Form(rest, others, False, said)]
    if len(rest) == 1:
        compound = load_words("kinds.yaml")["compound"]
        forms += [Form((rest[0] + end,), frozenset(), False) for end in compound if end in said]
    return forms


@cache
def _single_words(concepts: frozenset[str]) -> frozenset[str]:
    return frozenset(single for word in concept_words(concepts) for single in word.split())


@lru_cache(maxsize=4096)
def _kinds_without(concepts: frozenset[str], singles: frozenset[str]) -> frozenset[str]:
    """The words for any of `concepts` that hold none of `singles`."""
    return frozenset(word for word in concept_words(concepts) if singles.isdisjoint(word.split()))


def _mention_at(tokens: Tokens, index: int, forms: list[Form]) -> Mention | None:
    for form in forms:
        end = _match(tokens, index, form.words)
        if not end:
            continue
        if form.kinds:
            first, end = _with_kind(tokens, index, end, form)
            if not end:
                continue
            return Mention(first, end, form)
        if not _written_as_name(tokens, index, end, form.words):
            continue
        return Mention(index, end, form)
    return None


def _written_as_name(tokens: Tokens, first: int, end: int, form: Phrase) -> bool:
    """Whether words that may also be no name have the capitals of one, and no comma.

    "paradise" and "tower, bridge" are no names of places; "Paradise" and "Tower Bridge" may be.
    """
    common = is_common(form)
    if common and "," in tokens.words[first:end]:
        return False
    if tokens.cased and (common or len(form) == 1):
        said = range(first, end)
        return all(tokens.caps[at] or tokens.words[at] in _LINKS | _INSIDE for at in said)
    return True


def _match(tokens: Tokens, index: int, form: Phrase) -> int:
    """The token after `form` if it stands at `index`, else 0. Light punctuation may be in it."""
    words = tokens.words
    at = index
    for number, wanted in enumerate(form):
        while number and at < len(words) and words[at] in _INSIDE and words[at] != wanted:
            if words[at] == "." and not _abbreviates(tokens, at - 1):
                return 0
            at += 1
        if at >= len(words):
            return 0
        last = number == len(form) - 1
        if words[at] != wanted and not (last and words[at] == wanted + "s"):
            return 0
        at += 1
    return at


def _abbreviates(tokens: Tokens, index: int) -> bool:
    raw = tokens.raws[index].lower()
    return len(raw) == 1 or raw in ABBREVIATIONS


def _with_kind(tokens: Tokens, first: int, end: int, form: Form) -> tuple[int, int]:
    """[first, end) widened by the word for the kind behind or before it; (first, 0) if none."""
    words = tokens.words
    for length in (2, 1):
        behind = words[end : end + length]
        if (
            len(behind) == length
            and " ".join(behind) in form.kinds
            and _fits_case(tokens, first, end)
        ):
            return first, end + length
    before = first
    while before > 0 and first - before < 3 and words[before - 1] in _LINKS:
        before -= 1
    kinds = form.kinds if before == first else form.linked
    for length in (2, 1):
        start = before - length
        if start >= 0 and " ".join(words[start:before]) in kinds:
            return start, end
    return first, 0


def _fits_case(tokens: Tokens, first: int, at: int) -> bool:
    """A foreign word for a kind behind a name has a capital as the name has ("Garda See")."""
    english = tokens.words[at] in load_words("kinds.yaml")["kinds"]
    free = english or not tokens.cased or not tokens.raws[at].isascii()
    return free or tokens.caps[at] or not tokens.caps[first]
