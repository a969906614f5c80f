"""A text as tokens: folded words and punctuation, with what case and place they had."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from mgld.annotate.wording import strip_accents
from mgld.evaluate.rule.words import load_words

_TOKEN = re.compile(
    r"(?:[ldcnsmj]|qu|dell|all|nell|dall|sull)['’](?=[^\W\d_]{2})|[^\W_]+(?:['’ʼ][^\W_]+)*|[.?!,;:()\[\]/|&\n\"“”„«»。、，？！；：・（）]|…|[–—]|-+(?=\s)",
    re.IGNORECASE,
)
_SENTENCE_MARKS = frozenset("?!\n。？！…")
ABBREVIATIONS = frozenset(
    [
        "st",
        "mt",
        "ft",
        "dr",
        "jr",
        "sr",
        "no",
        "mr",
        "mrs",
        "ms",
        "prof",
        "rev",
        "bros",
        "co",
        "inc",
        "vs",
        "etc",
        "ca",
        "approx",
    ]
)
_CYRILLIC = dict(
    zip(
        "абвгдезийклмнопрстуфхцыэіїєґ",
        [
            "a",
            "b",
            "v",
            "g",
            "d",
            "e",
            "z",
            "i",
            "i",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "kh",
            "ts",
            "y",
            "e",
            "i",
            "i",
            "ie",
            "g",
        ],
        strict=True,
    )
) | {"ж": "zh", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "yu", "я": "ya", "ь": "", "ъ": "", "ё": "e"}
_GREEK = dict(
    zip(
        "αβγδεζηικλμνξοπρσςτυφχψω",
        [
            "a",
            "v",
            "g",
            "d",
            "e",
            "z",
            "i",
            "i",
            "k",
            "l",
            "m",
            "n",
            "x",
            "o",
            "p",
            "r",
            "s",
            "s",
            "t",
            "y",
            "f",
            "ch",
            "ps",
            "o",
        ],
        strict=True,
    )
) | {"θ": "th"}
_LETTERS = str.maketrans(_CYRILLIC | _GREEK)


class Tokens(NamedTuple):
    """A text's tokens as parallel lists; punctuation stands in `words` as itself.

    starts, ends: offsets in `text`. caps: the token starts with an upper-case letter or a digit.
    cased: whether the text uses both cases, so that a capital says something.
    """

    text: str
    words: list[str]
    caps: list[bool]
    starts: list[int]
    ends: list[int]
    cased: bool


def tokenize(text: str) -> Tokens:
    """The tokens of `text` (an already legible one)."""
    words: list[str] = []
    caps: list[bool] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _TOKEN.finditer(text):
        raw = match.group()
        first = raw[0]
        words.append(fold_word(raw))
        caps.append(first.isupper() or first.isdigit())
        starts.append(match.start())
        ends.append(match.end())
    return Tokens(text, words, caps, starts, ends, text != text.upper() and text != text.lower())


@lru_cache(maxsize=65536)
def fold_word(raw: str) -> str:
    """One word without case, accents and apostrophes, in Latin letters, abbreviations spelled out.

    Cyrillic and Greek are transliterated letter by letter. A mark of punctuation is itself.
    """
    word = raw.lower() if raw.isascii() else _romanize(raw)
    word = word.replace("'", "").replace("’", "").replace("ʼ", "")
    return _abbreviations().get(word, word)


def fold_text(text: str) -> list[str]:
    """The folded words of a short text, without punctuation."""
    return [word for word in tokenize(text).words if word[0].isalnum()]


def sentence_bounds(tokens: Tokens) -> list[tuple[int, int]]:
    """(first, past last) token of each sentence; a mark that ends one belongs to it."""
    bounds: list[tuple[int, int]] = []
    first = 0
    for index, word in enumerate(tokens.words):
        if word in _SENTENCE_MARKS or (word == "." and _ends_sentence(tokens, index)):
            bounds.append((first, index + 1))
            first = index + 1
    if first < len(tokens.words):
        bounds.append((first, len(tokens.words)))
    return bounds


def _ends_sentence(tokens: Tokens, index: int) -> bool:
    """Whether the full stop does: not after an abbreviation or initial, nor inside a number."""
    if index + 1 == len(tokens.words):
        return True
    following = tokens.text[tokens.ends[index] : tokens.ends[index] + 1]
    if following and not following.isspace() and following not in "\"'”’)*":
        return False
    if index == 0:
        return True
    before = tokens.text[tokens.starts[index - 1] : tokens.ends[index - 1]]
    if before.lower() in ABBREVIATIONS or (len(before) == 1 and before.isalpha() and before != "I"):
        # "at Christ's Church, St. It is": an abbreviation that ends a sentence is rare.
        return False
    return tokens.caps[index + 1] or not tokens.cased or not tokens.words[index + 1][0].isalpha()


def _romanize(raw: str) -> str:
    return strip_accents(raw.casefold()).translate(_LETTERS)


def _abbreviations() -> dict[str, str]:
    table: dict[str, str] = load_words("kinds.yaml")["abbreviations"]
    return table
