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
_IS_LETTER = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u4e00-\u9fff]")


def find_unspaced(text: str, names: Iterable[str]) -> tuple[str, str]:
    """("identifies", "hints" or "", the sentence) for the first of `names` that a text says.

    text: NFKC. Several different claims in the text leave a hint at most.
    """
    wanted = [unicodedata.normalize("NFKC", name) for name in names]
    for match in _SENTENCE.finditer(text):
        sentence = match.group()
        name = next((each for each in wanted if each in sentence), "")
        if not name or _DOUBT.search(sentence):
            continue
        rest = sentence.replace(name, "")
        if _LIST.search(rest) or len(_CLAIM.findall(text)) > 3:
            listed = len(_LIST.findall(rest))
            return ("hints", sentence.strip()) if listed <= 2 else ("", "")
        return "identifies", sentence.strip()[:160]
    return "", ""
