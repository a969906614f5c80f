"""How words are compared: without case, accents and punctuation."""

from __future__ import annotations

import re
import unicodedata

# Letters that NFKD does not take apart but that people type as plain ASCII.
_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe"})
_UPPER = str.maketrans({"Ł": "L", "Ø": "O", "Đ": "D", "Ð": "D", "Þ": "Th", "Æ": "Ae", "Œ": "Oe"})
_SPELLING = str.maketrans({"ß": "ss"})
_WORD = re.compile(r"\w+", re.UNICODE)


def strip_accents(text: str) -> str:
    """`text` as someone without the letters would type it: "Château" -> "Chateau"."""
    if text.isascii():
        return text
    spelled = text.translate(_LETTERS).translate(_UPPER).translate(_SPELLING)
    decomposed = unicodedata.normalize("NFKD", spelled)
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not _is_accent(c)))


def tokens(text: str) -> list[str]:
    """Lower-case words of `text` without accents; apostrophes join ("Fishermen's" is one word)."""
    plain = strip_accents(text).casefold().replace("'", "").replace("’", "")
    return _WORD.findall(plain)


def fold(text: str) -> str:
    """The words of `text` with one blank between them: two texts with equal folds are the same."""
    return " ".join(tokens(text))


def words(text: str) -> frozenset[str]:
    """The set of words of a list written as text."""
    return frozenset(text.split())


def _is_accent(character: str) -> bool:
    # Only marks of the Latin, Greek and Cyrillic alphabets: in other scripts (Devanagari, Thai,
    # Arabic, kana) a combining mark is part of the letter.
    return "\u0300" <= character <= "\u036f"
