"""Names in scripts that put no blanks between words (Han, kana, Thai).

There a name is a piece of the sentence, and what stands around it cannot be told by capitals; so
the rule is plain: it counts where its sentence asks, denies and lists nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_SENTENCE = re.compile(r"[^。！!\n.]*[。！!\n.]?")
_DOUBT = re.compile(
    "不是|并非|並非|不像|没有|沒有|无法|無法|不知|ではな|じゃな|ではありません|ません|わかりません"
    "|ไม่|[?？]|吗|嗎|複製|复制|仿|レプリカ|如果|もし|附近|近く|类似|類似|似て"
)
_LIST = re.compile(r"[、/|或和与與]|还是|還是|または|もしくは|とか|หรือ")
_CLAIM = re.compile("是|です|である|だ(?=[。！]|$)|คือ")
MOST_BARE = 3
"""A name without a verb counts in a text of at most so many sentences or lines."""


def find_unspaced(text: str, names: Iterable[str]) -> tuple[str, str]:
    """("identifies", "hints" or "", the sentence) for the first of `names` that a text says.

    text: NFKC. Several different claims in the text leave a hint at most.
    """
    wanted = [unicodedata.normalize("NFKC", name) for name in names]
    sentences = [match.group() for match in _SENTENCE.finditer(text) if match.group().strip()]
    for sentence in sentences:
        name = next((each for each in wanted if each in sentence), "")
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
