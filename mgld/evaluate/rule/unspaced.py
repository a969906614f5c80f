"""Names in scripts without blanks between words (Han, kana, Thai) or with endings (Hangul).

There a name is a piece of the sentence, and what stands around it cannot be told by capitals; so
the rule is plain: it counts where its sentence asks, denies and lists nothing, and where no other
part of the text claims another name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SENTENCE = re.compile(r"[^。！!\n.]*[。！!\n.]?")
_SOLID = r"[\u0e00-\u0eff\u3040-\u30ff\u4e00-\u9fff\ue000]"
_PART = re.compile(rf"[,;:]|(?<={_SOLID})[ \t]+(?={_SOLID})")
_OWN = "\ue000"
"""Stands for the name where a text is taken apart, since a name may have a blank or a comma."""
_DOUBT = re.compile(
    "不是|并非|並非|不像|没有|沒有|无法|無法|不知|ではな|じゃな|ではありません|ません|わかりません"
    "|ไม่|[?？]|吗|嗎|複製|复制|仿|レプリカ|如果|もし|附近|近く|아니|아닙|모르|근처|닮|类似|類似|似て"
)
_LIST = re.compile(r"[、/|&+或和与與]|还是|還是|または|もしくは|とか|หรือ|또는|혹은")
_CLAIM = re.compile(
    # Not part of other words: "but", "always", "beautiful", "is to be seen".
    "(?<![但可于於只若总總凡])是(?!否|因)|(?<!い)です|である|だ(?=[。！!]|$)|คือ"
    "|(?<![보모쓰높])(?:입니다|이다)"
)
_THING = "一[座个個处處栋棟幢片条條道尊家]"
_GENERIC = (
    "宫殿|宮殿|皇宫|皇宮|建筑|建築|建筑物|建築物|建筑群|建築群|景点|景點|景区|景區|地标|地標|名胜|名勝"
    "|古迹|古蹟|遗址|遺址|遗产|遺產|遺産|寺庙|寺廟|寺院|教堂|教会|城堡|城|博物馆|博物館|公园|公園|塔"
    "|桥|橋|象征|象徴|标志|標誌|代表|中心|住所|地方|首都|観光地|観光スポット|名所|建物|シンボル"
    "|관광지|명소|건물|건축물|궁궐|궁전|사찰|절|성당|교회|성|탑|다리|박물관|공원|상징|랜드마크"
)
_DESCRIBES = re.compile(
    f"{_THING}|之一|の(?:一つ|ひとつ)|중 ?하나"
    f"|(?:[的のないるた][^,的の]{{0,4}}?|[는은한던의인] ?)(?:{_GENERIC})"
    "(?:です|である|だ|입니다|이다|$)"
    "|(?:有名|人気|特徴的|印象的)(?:です|である|だ)|(?:建造|修建|兴建|興建|设计|設計|建成)的$"
)
_NAME_LIKE = re.compile(
    r"(?!.*[的のはがをにで位于於在建有为為由])[\u0e00-\u0eff\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]{2,8}"
    r"(?<![市省县縣区區州都府県国國시])"
)
_COUNTRY = re.compile(
    "中国|中國|日本|韩国|韓國|韓国|台湾|臺灣|香港|泰国|泰國|法国|法國|英国|英國|德国|德國|美国|美國|意大利"
    "|西班牙|印度|希腊|埃及|한국|대한민국|일본|중국|태국|프랑스|영국|독일|미국|ประเทศไทย"
    "|フランス|イギリス|ドイツ|アメリカ|イタリア|スペイン"
)
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")
_SPACED = re.compile(r"[A-Za-z]")
STAND_IN = "Zqjlandmarkqjz"
"""Stands in a text of words with blanks for a name that has none, to be read as all others.

An answer that has it of its own is not read: else it would identify whatever has such a name.
"""
MOST_BARE = 3
"""A name without a verb counts in a text of at most so many sentences or lines."""
MOST_BESIDE = 1
"""Words like names beside it that are let pass, as a town is."""


def is_unspaced(text: str) -> bool:
    """Whether a name is in one of these scripts."""
    return bool(_UNSPACED.search(text))


def mostly_spaced(text: str) -> bool:
    """Whether a text has more Latin letters than letters of these scripts."""
    return len(_SPACED.findall(text)) > len(_UNSPACED.findall(text))


def find_unspaced(text: str, names: Sequence[str]) -> tuple[str, str]:
    """("identifies", "hints" or "", the sentence) for the first of `names` that a text says.

    text, names: NFKC. A claim of another name anywhere in the text leaves a hint at most.
    """
    sentences = [match.group() for match in _SENTENCE.finditer(text) if match.group().strip()]
    for sentence in sentences:
        name = next((each for each in names if each in sentence), "")
        if not name or _DOUBT.search(sentence) or re.search(_THING + re.escape(name), sentence):
            continue
        rest = sentence.replace(name, "")
        if not _CLAIM.search(rest) and len(sentences) > MOST_BARE:
            continue
        if _LIST.search(rest) or _claims_others(sentences, names):
            listed = len(_LIST.findall(rest))
            return ("hints", sentence.strip()) if listed <= 2 else ("", "")
        return "identifies", sentence.strip()[:160]
    return "", ""


def _claims_others(sentences: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a part of the text without one of `names` claims a name, or several parts are one.

    A part that describes claims none: "a palace", "China's largest palace", "one of the sights".
    """
    beside = 0
    for sentence in sentences:
        said = sentence.rstrip("。！!\n. ")
        for name in names:
            said = said.replace(name, _OWN)
        for part in map(str.strip, _PART.split(said)):
            own = _OWN in part
            if len(_CLAIM.findall(part)) > own and not _DOUBT.search(part):
                if not _DESCRIBES.search(part):
                    return True
                continue
            if own or _DESCRIBES.search(part):
                continue
            beside += bool(_NAME_LIKE.fullmatch(part)) and not _COUNTRY.fullmatch(part)
    return beside > MOST_BESIDE
