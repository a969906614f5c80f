"""An answer as a person would see it, or the reason why that cannot be told.

What is written so that reading eyes and a reading program would see different words counts for
nothing: a judge that guessed at it could be played with. Definition: docs/definitions.md,
"Grading".
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import NamedTuple

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
_LATIN_WORD = re.compile(r"[^\W\d_]*[A-Za-z\u00c0-\u024f][^\W\d_]*")
_QUICK = re.compile(r"[<&*`~\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Legible(NamedTuple):
    """`text`: NFKC, without markup and unseen signs. `problem`: why it is not read, or ""."""

    text: str
    problem: str


def read_legibly(raw: str) -> Legible:
    """The text of an answer, or the first thing that makes it illegible. Linear in its length."""
    if len(raw) > MAX_CHARACTERS:
        return Legible("", f"longer than {MAX_CHARACTERS} characters")
    text = raw.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii() or _QUICK.search(text):
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
    if _SPELLED.search(text):
        return Legible("", "words spelled out letter by letter")
    return Legible(text, "")


def _mixes_scripts(text: str) -> bool:
    """Whether a word has Latin letters and, beside them, letters that may pass for Latin ones.

    Scripts that cannot (Han, kana, hangul, Arabic, ...) may stand against Latin letters, as
    Japanese and Chinese texts do without a blank.
    """
    for word in _LATIN_WORD.findall(text):
        if not word.isascii() and any(_passes_for_latin(letter) for letter in word):
            return True
    return False


def _passes_for_latin(letter: str) -> bool:
    point = ord(letter)
    return (
        0x0250 <= point <= 0x02AF  # IPA
        or 0x0370 <= point <= 0x058F  # Greek, Cyrillic, Armenian
        or 0x10A0 <= point <= 0x10FF  # Georgian
        or 0x13A0 <= point <= 0x13FF  # Cherokee
        or 0x1C80 <= point <= 0x1C8F
        or 0x1D00 <= point <= 0x1DBF  # small capitals
        or 0x1F00 <= point <= 0x1FFF
        or 0x2C60 <= point <= 0x2DFF
        or 0xA640 <= point <= 0xA69F
        or 0xA720 <= point <= 0xA7FF  # small capitals
        or 0xAB30 <= point <= 0xABBF
        or 0x10400 <= point <= 0x1044F  # Deseret
    )
