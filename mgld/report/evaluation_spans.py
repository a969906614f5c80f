"""Where the words that a judge quotes stand in an answer."""

from __future__ import annotations

import re
from typing import Final

from mgld.evaluate.judges.spans import MIN_WORDED

_STOPS: Final = " .,;:"
_QUOTES: Final = _STOPS + "\"'()[]“”‘’"
_TYPOGRAPHY: Final = {"'": "['’‘]", '"': '["“”]', "-": "[-–—]"}
_ALIKE: Final = {other: said for said in _TYPOGRAPHY.values() for other in said[1:-1]}


def cut_at_span(text: str, span: str) -> list[str]:
    """[before, span, after] where `span` stands in `text`, else [text].

    Whatever the case, the blanks and the typography of quotation marks and dashes: judges quote
    freely. Only the first place counts. The parts together are `text`.
    """
    if sum(letter.isalnum() for letter in span) < MIN_WORDED:
        return [text]
    lower = text.lower()
    plain = text.isascii() and " ".join(text.split()) == text
    for wanted in (span.strip(_STOPS), span.strip(_QUOTES)):
        words = wanted.split()
        if plain and wanted.isascii():
            # The same as the pattern below finds, without one to compile for each answer.
            said = " ".join(words).lower()
            at = lower.find(said) if said else -1
            if at >= 0:
                return [text[:at], text[at : at + len(said)], text[at + len(said) :]]
            continue
        pattern = r"\s+".join(
            "".join(_ALIKE.get(letter, re.escape(letter)) for letter in word) for word in words
        )
        found = re.search(pattern, text, flags=re.IGNORECASE) if words else None
        if found is not None:
            return [text[: found.start()], found.group(), text[found.end() :]]
    return [text]
