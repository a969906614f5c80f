"""Names in scripts without blanks between words (Han, kana, Thai) or with endings (Hangul).

There a name is a piece of the sentence, and what stands around it cannot be told by capitals; so
the rule is plain: it counts where its sentence asks, denies and lists nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SENTENCE = re.compile(r"[^。！!\n.]*[。！!\n.]?")
_DOUBT = re.compile(
    "不是|并非|並非|不像|没有|沒有|无法|無法|不知|ではな|じゃな|ではありません|ません|わかりません"
    "|ไม่|[?？]|吗|嗎|複製|复制|仿|レプリカ|如果|もし|附近|近く|아니|아닙|모르|근처|닮|类似|類似|似て"
)
_LIST = re.compile(r"[、/|或和与與]|还是|還是|または|もしくは|とか|หรือ|또는|혹은")
_CLAIM = re.compile("是|です|である|だ(?=[。！]|$)|คือ|입니다|이다")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")
_SPACED = re.compile(r"[A-Za-z]")
STAND_IN = "Zqjlandmarkqjz"
"""Stands in a text of words with blanks for a name that has none, to be read as all others.

An answer that has it of its own is not read: else it would identify whatever has such a name.
"""
MOST_BARE = 3
"""A name without a verb counts in a text of at most so many sentences or lines."""


def is_unspaced(text: str) -> bool:
    """Whether a name is in one of these scripts."""
    return bool(_UNSPACED.search(text))


def mostly_spaced(text: str) -> bool:
    """Whether a text has more Latin letters than letters of these scripts."""
    return len(_SPACED.findall(text)) > len(_UNSPACED.findall(text))


def find_unspaced(text: str, names: Sequence[str]) -> tuple[str, str]:
    """("identifies", "hints" or "", the sentence) for the first of `names` that a text says.

    text, names: NFKC. Several different claims in the text leave a hint at most.
    """
    sentences = [match.group() for match in _SENTENCE.finditer(text) if match.group().strip()]
    for sentence in sentences:
        name = next((each for each in names if each in sentence), "")
        if not name or _DOUBT.search(sentence):
            continue
        rest = sentence.replace(name, "")
        if not _CLAIM.search(rest) and len(sentences) > MOST_BARE:
            continue
        if _LIST.search(rest) or len(_CLAIM.findall(text)) > 3:
            listed = len(_LIST.findall(rest))
            return ("hints", sentence.strip()) if listed <= 2 else ("", "")
        return "identifies", sentence.strip()[:160]
    return "", ""
