"""A text as tokens: folded words and punctuation, with what case and place they had."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import chain

from mgld.annotate.labels import kind_words
from mgld.annotate.wording import strip_accents
from mgld.evaluate.rule.words import load_words

_PLAIN = (
    r"[^\W_]+(?:['’ʼ][^\W_]+)*"
    # A full stop keeps the blank behind it, which tells it from those of "U.S.A.".
    r"|\.[ \t]|[.?!,;:()\[\]/|&\n\"“”„«»。、，？！；：・（）…–—]|-+(?=\s)"
)
_ELIDED = r"(?:[LDCNSMJldcnsmj]|[Qq]u|[Dd]ell|[Aa]ll|[Nn]ell|[Dd]all|[Ss]ull)['’](?=[^\W\d_]{2})"
_TOKEN = re.compile(_PLAIN)
_TOKEN_ELIDED = re.compile(f"{_ELIDED}|{_PLAIN}")
# An elision with a boundary before it, looked for by its apostrophe: most texts have few of them.
_ELISION = re.compile(
    r"['’](?=[^\W\d_]{2})(?:(?<=\b[LDCNSMJldcnsmj].)|(?<=\b[Qq]u.)"
    r"|(?<=\b[Dd]ell.)|(?<=\b[Aa]ll.)|(?<=\b[Nn]ell.)|(?<=\b[Dd]all.)|(?<=\b[Ss]ull.))"
)
_SENTENCE_MARKS = frozenset("?!\n。？！…")
_ENDS = _SENTENCE_MARKS | {"."}
LONGEST_PIECE, MOST_PIECES = 40, 65_536
"""Characters, and number, of the pieces of texts whose tokens are kept."""
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


class Tokens:
    """A text's tokens as parallel sequences; punctuation stands in `words` as itself.

    raws: the tokens as written. said: the set of the words. caps: the token starts with an
    upper-case letter or a digit. cased: whether the text uses both cases, so that a capital says
    something.
    """

    __slots__ = ("caps", "cased", "raws", "said", "text", "words")

    def __init__(self, text: str) -> None:
        elided = ("'" in text or "’" in text) and _ELISION.search(text)
        pieces = _ELIDED_PIECES if elided else _PIECES
        self.text = text
        # No token goes on behind a blank, so that pieces of text can be read one by one, and most
        # of them are among those of texts before.
        *inner, last = text.split(" ")
        read = [*chain.from_iterable(map(pieces.__getitem__, inner)), *pieces.read(last)]
        raws, words, caps = zip(*read, strict=True) if read else ((), (), ())
        self.raws: tuple[str, ...] = raws
        self.words: list[str] = list(words)
        self.caps: tuple[bool, ...] = caps
        self.said = frozenset(self.words)
        self.cased = not text.isupper() and not text.islower() and text != text.lower()

    def quote(self, first: int, end: int) -> str:
        """Tokens [first, end) as they stand in `text`, on one line."""
        find, at = self.text.find, 0
        for raw in self.raws[:first]:
            at = find(raw, at) + len(raw)
        start = find(self.raws[first], at)
        for raw in self.raws[first:end]:
            at = find(raw, at) + len(raw)
        return " ".join(self.text[start:at].split())


_Piece = tuple[tuple[str, str, bool], ...]


class _Pieces(dict[str, _Piece]):
    """Pieces of text with a blank behind -> (raw, word, capital) of their tokens; kept."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        super().__init__()
        self._pattern = pattern

    def __missing__(self, piece: str) -> _Piece:
        read = self.read(f"{piece} ")
        if len(piece) <= LONGEST_PIECE:
            if len(self) >= MOST_PIECES:
                self.clear()
            self[piece] = read
        return read

    def read(self, text: str) -> _Piece:
        """The tokens of `text`."""
        return tuple((raw, *_fold(raw)) for raw in self._pattern.findall(text))


_PIECES, _ELIDED_PIECES = _Pieces(_TOKEN), _Pieces(_TOKEN_ELIDED)


def tokenize(text: str) -> Tokens:
    """The tokens of `text` (an already legible one)."""
    return Tokens(text)


def fold_word(raw: str) -> str:
    """One word without case, accents and apostrophes, in Latin letters, abbreviations spelled out.

    Cyrillic and Greek are transliterated letter by letter. A mark of punctuation is itself.
    """
    return _fold(raw)[0]


@lru_cache(maxsize=65536)
def _fold(raw: str) -> tuple[str, bool]:
    """The folded word, and whether it starts with a capital or a digit."""
    if raw[0] == ".":
        return ".", False
    word = raw.lower() if raw.isascii() else _romanize(raw)
    word = word.replace("'", "").replace("’", "").replace("ʼ", "")
    return _abbreviations().get(word, word), raw[0].isupper() or raw[0].isdigit()


def fold_text(text: str) -> list[str]:
    """The folded words of a short text, without punctuation."""
    return [word for word in tokenize(text).words if word[0].isalnum()]


@lru_cache(maxsize=16384)
def fold_name(text: str) -> tuple[str, ...]:
    """`fold_text` of a name, kept: places and kinds are those of many landmarks."""
    return tuple(fold_text(text))


@lru_cache(maxsize=16384)
def screen_word(phrase: tuple[str, ...]) -> str:
    """A piece of text without which a plain ASCII text cannot hold the folded words `phrase`.

    A long word that nothing but itself is folded to; "" (in every text) where there is none.
    The text is to be lower-cased and without apostrophes.
    """
    spelled, kinds = _spelled(), kind_words()
    own = [word for word in phrase if word not in spelled]
    # A name's own word tells more than its kind, which most answers say.
    return max(own, key=lambda word: (word not in kinds, len(word)), default="")


@cache
def _spelled() -> frozenset[str]:
    return frozenset(_abbreviations().values())


def sentence_bounds(tokens: Tokens) -> list[tuple[int, int]]:
    """(first, past last) token of each sentence; a mark that ends one belongs to it."""
    bounds: list[tuple[int, int]] = []
    first = 0
    for index in [at for at, word in enumerate(tokens.words) if word in _ENDS]:
        if tokens.words[index] != "." or _ends_sentence(tokens, index):
            bounds.append((first, index + 1))
            first = index + 1
    if first < len(tokens.words):
        bounds.append((first, len(tokens.words)))
    return bounds


def _ends_sentence(tokens: Tokens, index: int) -> bool:
    """Whether the full stop does: not after an abbreviation or initial, nor inside a number."""
    if index + 1 == len(tokens.words):
        return True
    if tokens.raws[index] == "." and tokens.raws[index + 1][0].isalnum():
        return False
    if index == 0:
        return True
    before = tokens.raws[index - 1]
    if before.lower() in ABBREVIATIONS or (len(before) == 1 and before.isalpha() and before != "I"):
        # "at Christ's Church, St. It is": an abbreviation that ends a sentence is rare.
        return False
    return tokens.caps[index + 1] or not tokens.cased or not tokens.words[index + 1][0].isalpha()


def _romanize(raw: str) -> str:
    return strip_accents(raw.casefold()).translate(_LETTERS)


@cache
def _abbreviations() -> dict[str, str]:
    table: dict[str, str] = load_words("kinds.yaml")["abbreviations"]
    return table
