"""Whether the words that a judge quotes stand in an answer."""

from __future__ import annotations

import unicodedata
from typing import Final

MIN_WORDED: Final = 2
"""Letters and digits that a span must have: any answer holds an "a"."""


def occurs(span: str, text: str) -> bool:
    """Whether `span` stands in `text`, whatever the case, the blanks and the Unicode form.

    Quotation marks, brackets and full stops around a span do not count, nor those of typography.
    """
    wanted = _plain(span).strip(" \"'.,;:()[]")
    if sum(letter.isalnum() for letter in wanted) < MIN_WORDED:
        return False
    return wanted in _plain(text)


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_TYPOGRAPHY)
    return " ".join(folded.split())


_TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-"})
