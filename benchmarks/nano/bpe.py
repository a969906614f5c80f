"""Merges of the nano encoder's byte-level BPE: every syllable and common word is one token.

Not learnt but written down: all syllables are consonant + vowel + consonant, so merging first
consonant + vowel and then the closing consonant splits any name into exactly its syllables,
whatever their order. Words follow, joined from what the syllable merges leave of them. Other text
falls back to bytes, as in every byte-level BPE.
"""

from __future__ import annotations

from itertools import pairwise

from open_clip.tokenizer import bytes_to_unicode

from mgld.world.lexicon import CATEGORIES, REGIONS, SUFFIXES


class _Merges:
    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []
        self._seen: set[tuple[str, str]] = set()
        self._bytes = bytes_to_unicode()

    def letters(self, text: str) -> list[str]:
        """A word as SimpleTokenizer starts with it: its UTF-8 bytes, the last one marked."""
        letters = [self._bytes[b] for b in text.encode("utf-8")]
        return [*letters[:-1], letters[-1] + "</w>"]

    def add(self, left: str, right: str) -> str:
        if (left, right) not in self._seen:
            self._seen.add((left, right))
            self.pairs.append((left, right))
        return left + right

    def split(self, word: str) -> list[str]:
        """What the merges so far make of a word (plain BPE)."""
        parts = self.letters(word)
        rank = {pair: i for i, pair in enumerate(self.pairs)}
        while len(parts) > 1:
            candidates = [(rank[p], i) for i, p in enumerate(pairwise(parts)) if p in rank]
            if not candidates:
                break
            _, i = min(candidates)
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        return parts

    def join(self, word: str) -> None:
        """Add what is missing for `word` to become one token."""
        parts = self.split(word)
        while len(parts) > 1:
            parts[0:2] = [self.add(parts[0], parts[1])]


def nano_merges() -> list[str]:
    """The merges in order of priority, each "left right", for `mgld.vision.save_checkpoint`."""
    merges = _Merges()
    syllables = {s for region in REGIONS for code in region.codes for s in code.syllables.values()}
    places = {place for region in REGIONS for place in region.places}
    syllables |= {place[:3].lower() for place in places}
    ordered = sorted(syllables)
    vowels = {s[1:-1] for s in ordered}
    accented = {
        vowel: [*merges.letters(vowel)[:-1], merges.letters(vowel)[-1][:-4]] for vowel in vowels
    }
    for vowel in sorted(vowels):
        if len(accented[vowel]) == 2:
            merges.add(*accented[vowel])
    openings = sorted({s[:-1] for s in ordered})
    for opening in openings:
        merges.add(opening[0], "".join(accented[opening[1:]]))
    for syllable in ordered:
        opening = syllable[0] + "".join(accented[syllable[1:-1]])
        merges.add(opening, syllable[-1])
        merges.add(opening, syllable[-1] + "</w>")
    words = {w.lower() for c in CATEGORIES for w in c.pattern.replace("{}", "").split()}
    words |= {c.noun for c in CATEGORIES}
    for suffix in SUFFIXES:
        merges.join(suffix)
    for word in sorted(words | {"a", "the", "in", "and", "st", "saint"}):
        merges.join(word)
    return [f"{left} {right}" for left, right in merges.pairs]
