"""An answer as a person would see it, or the reason why that cannot be told.

What is written so that reading eyes and a reading program would see different words counts for
nothing: a judge that guessed at it could be played with. Definition: docs/definitions.md,
"Grading".
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache
from typing import NamedTuple

from mgld.evaluate.rule.words import word_set

MAX_CHARACTERS = 8000
"""Longer answers are not read; 256 tokens are some 1,500."""

# Marks, signs and joiners of markdown that may stand inside a word without being seen.
_EMPHASIS = re.compile(r"[*`~]+")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,300}>")
_COMMENT = re.compile(r"<!--|-->")
# Formatting characters that are not shown: zero width, bidi marks, soft hyphens, tags, fillers,
# selectors. ZWNJ and ZWJ are letters of Persian and of Indic scripts, and of emoji.
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2060-\u2064\u2066-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_OVERRIDE = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LETTER = "A-Za-z0-9\u00c0-\u024f"
_UNSEEN_IN_WORD = re.compile(f"(?<=[{_LETTER}])[{_UNSEEN}{_CONTROL}]+(?=[{_LETTER}])")
_UNSEEN_ANYWHERE = re.compile(f"[{_UNSEEN}{_CONTROL}]+")
# Marks laid over letters; those of U+0300 to U+036F go with the accents.
_OVERLAY = re.compile("[\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
_SPELLED = re.compile(r"(?<![^\W_])[a-z](?:[\W_]{1,3}[a-z](?![^\W_])){2,}")
_WORD = re.compile(r"[^\W\d_]+")
_ALPHABETS = (
    (0x0250, 0x02AF, "odd"),  # IPA
    (0x0370, 0x03FF, "Greek"),
    (0x0400, 0x052F, "Cyrillic"),
    (0x0530, 0x058F, "Armenian"),
    (0x10A0, 0x10FF, "Georgian"),
    (0x13A0, 0x13FF, "Cherokee"),
    (0x1C80, 0x1C8F, "Cyrillic"),
    (0x1D00, 0x1DBF, "odd"),  # small capitals
    (0x1F00, 0x1FFF, "Greek"),
    (0x2C60, 0x2DFF, "odd"),
    (0xA4D0, 0xA4FF, "odd"),  # Lisu
    (0xA640, 0xA69F, "Cyrillic"),
    (0xA720, 0xA7FF, "odd"),  # small capitals
    (0xAB30, 0xABBF, "odd"),
    (0x10400, 0x1044F, "odd"),  # Deseret
)
_LOOKALIKES = str.maketrans(
    "αβγεηικνορτυχωаеосрхуіјѕһԁԛԝкмтгпьвнոօսհյցեзԍ",
    "abyenikvoptuxwaeocpxyijshdqwkmtrnbbhnouhjge3g",
)
# What needs a closer look: all but plain text in Latin letters.
_UNUSUAL = re.compile(r"[^\t\n -%'();+-;=?-_a-}¡-¬®-±´-·»¿-\u024f–—‘’“”]")


_USUAL = bytes(code for code in range(128) if not _UNUSUAL.search(chr(code)))


class Legible(NamedTuple):
    """`text`: NFKC, without markup and unseen signs. `problem`: why it is not read, or ""."""

    text: str
    problem: str


def read_legibly(raw: str) -> Legible:
    """The text of an answer, or the first thing that makes it illegible. Linear in its length."""
    if len(raw) > MAX_CHARACTERS:
        return Legible("", f"longer than {MAX_CHARACTERS} characters")
    text = raw.replace("\r\n", "\n").replace("\r", "\n")
    if text.encode().translate(None, _USUAL) if text.isascii() else _UNUSUAL.search(text):
        if _OVERRIDE.search(text):
            return Legible("", "characters that change the direction of text")
        text = _COMMENT.sub(" ", html.unescape(text))
        if _UNSEEN_IN_WORD.search(text) or _OVERRIDE.search(text):
            return Legible("", "invisible characters inside words")
        text = _UNSEEN_ANYWHERE.sub(" ", text)
        text = _EMPHASIS.sub("", _TAG.sub("", text))
        if not text.isascii():
            text = unicodedata.normalize("NFKC", _OVERLAY.sub("", text))
            if _mixes_scripts(text):
                return Legible("", "words that mix letters of several scripts")
    return Legible(text, "")


def spelled_out(text: str) -> bool:
    """Whether words of three letters or more are spelled out letter by letter ("n o t")."""
    return bool(_SPELLED.search(text))


def _mixes_scripts(text: str) -> bool:
    """Whether a word may pass for another: letters of several alphabets in one, or small capitals.

    Scripts that cannot pass for Latin (Han, kana, hangul, Arabic, ...) may stand against Latin
    letters, as Japanese and Chinese texts do without a blank.
    """
    words = _WORD.findall(text)
    latin = sum(map(str.isascii, words)) * 2 > len(words)
    for word in words:
        if word.isascii():
            continue
        alphabets = {_alphabet(letter) for letter in word} - {""}
        if "odd" in alphabets or len(alphabets) > 1:
            return True
        # A whole word of Greek or Cyrillic letters, in a Latin text, that reads as one of the words
        # that turn a statement round.
        other = latin and len(word) > 1 and alphabets - {"Latin"}
        if other and word.casefold().translate(_LOOKALIKES) in _turning_words():
            return True
    return False


def _alphabet(letter: str) -> str:
    """The alphabet of a letter that looks like Latin ones or is one; "" of all others.

    "odd": letters that words are not written in but that look like Latin ones.
    """
    point = ord(letter)
    if point < 0x0250 or 0x1E00 <= point <= 0x1EFF:
        return "Latin" if letter.isalpha() else ""
    for first, last, alphabet in _ALPHABETS:
        if first <= point <= last:
            return alphabet
    return ""


@cache
def _turning_words() -> frozenset[str]:
    keys = ("negators", "relations", "apart_from", "other_thing", "suppose", "breaks", "hedges")
    return frozenset(word for key in keys for word in word_set(key)) | {"or", "and", "a", "an"}
