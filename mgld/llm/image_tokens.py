"""How many input tokens an image counts, by model family.

Two rules exist, and a table of who follows which. `evidence` of each entry:

documented  OpenAI's guide "Images and vision", section "Calculating costs".
measured    published measurements against the API, in the same units; where they and the guide
            differ, the larger figure stands here.
assumed     like its neighbours; no source was found.

Checked November 2026. What a reply's `usage` says is what is paid; this is for planning.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Literal

from mgld.llm.model_ids import base_model
from mgld.llm.request import Detail

Evidence = Literal["documented", "measured", "assumed"]


@dataclass(frozen=True)
class Tiles:
    """`base` tokens, and with detail high `tile` tokens per tile of 512 pixels.

    The image is first fitted into 2048 x 2048, then to a shorter side of 768; never enlarged.
    Detail low is `base` alone; auto is counted as high.
    """

    base: int
    tile: int
    evidence: Evidence

    def count(self, width: int, height: int, detail: Detail) -> int:
        """Tokens of an image of this size in pixels."""
        if detail == "low":
            return self.base
        # Both steps at once, as the exact fraction by/over: the smaller of the two scales, or 1.
        by, over = 1, 1
        for limit, length in ((2048, max(width, height)), (768, min(width, height))):
            if limit * over < by * length:
                by, over = limit, length
        across, down = (-(-length * by // (over * 512)) for length in (width, height))
        return self.base + self.tile * across * down


@dataclass(frozen=True)
class Patches:
    """`hundredths` / 100 tokens per patch of 32 pixels, up to `high` patches (auto: `auto`).

    A larger image is shrunk until it fits. None: no limit. Detail low is counted like high: what
    it saves is not documented for every family.
    """

    hundredths: int
    high: int | None
    auto: int | None
    evidence: Evidence

    def count(self, width: int, height: int, detail: Detail) -> int:
        """Tokens of an image of this size in pixels."""
        limit = self.auto if detail == "auto" else self.high
        return -(-_patches(width, height, limit) * self.hundredths // 100)


def _patches(width: int, height: int, limit: int | None) -> int:
    patches = -(-width // 32) * -(-height // 32)
    if limit is None or patches <= limit:
        return patches
    # Shrunk to an area of `limit` patches, then until the side that is worse off is a whole number.
    across = max(1, isqrt(limit * width // height))
    down = max(1, isqrt(limit * height // width))
    if across * height <= down * width:
        return across * -(-across * height // width)
    return down * -(-down * width // height)


_4O = Tiles(85, 170, "documented")
_O = Tiles(75, 150, "documented")
# GPT-5.2 and later: 1.2 tokens a patch. Measured limits are 1,536 (5.2), 10,000 (5.5 auto), 2,500
# (6 high) and none (6 auto); where only one of a model's is known, the larger is taken for both.
_6 = Patches(120, 2500, None, "measured")
_6_LIKE = Patches(120, 2500, None, "assumed")
_5_LIKE = Patches(120, 10_000, 10_000, "assumed")

FAMILIES: dict[str, Tiles | Patches] = {
    "gpt-4o": _4O,
    "gpt-4.1": _4O,
    "gpt-4.5-preview": _4O,
    "gpt-4-turbo": Tiles(85, 170, "assumed"),
    "chatgpt-4o-latest": Tiles(85, 170, "assumed"),
    "gpt-4o-mini": Tiles(2833, 5667, "documented"),
    "o1": _O,
    "o1-pro": _O,
    "o3": _O,
    "o3-pro": Tiles(75, 150, "assumed"),
    "gpt-5": Tiles(70, 140, "documented"),
    "gpt-5-chat-latest": Tiles(70, 140, "documented"),
    "gpt-5.1": Tiles(70, 140, "assumed"),
    "gpt-4.1-mini": Patches(162, 1536, 1536, "documented"),
    "gpt-4.1-nano": Patches(246, 1536, 1536, "documented"),
    # Measured 1.2 a patch in June 2026; the guide's figure is larger.
    "gpt-5-mini": Patches(162, 1536, 1536, "documented"),
    "gpt-5-nano": Patches(246, 1536, 1536, "documented"),
    "o4-mini": Patches(172, 1536, 1536, "documented"),
    "gpt-5.4-mini": Patches(162, 1536, 1536, "documented"),
    "gpt-5.4-nano": Patches(246, 1536, 1536, "assumed"),
    "gpt-5.2": Patches(120, 1536, 1536, "measured"),
    "gpt-5.4": _5_LIKE,
    "gpt-5.5": Patches(120, 10_000, 10_000, "measured"),
    "gpt-5.6-sol": _5_LIKE,
    "gpt-5.6-terra": _5_LIKE,
    "gpt-5.6-luna": _5_LIKE,
    "gpt-6-astra": _6,
    "gpt-6-sol": _6_LIKE,
    "gpt-6-luna": _6_LIKE,
    "gpt-6.1-sol": _6_LIKE,
    "gpt-6.1-terra": _6_LIKE,
    "gpt-6.2-sol": _6_LIKE,
}


def image_tokens(model: str, width: int, height: int, detail: Detail) -> int | None:
    """Input tokens of an image of `width` x `height` pixels as sent; None: family not known.

    Snapshots and fine-tunes count like their base model.
    """
    family = FAMILIES.get(base_model(model))
    return None if family is None else family.count(width, height, detail)


def most_image_tokens(model: str, side: int, detail: Detail) -> int:
    """No image whose sides are at most `side` pixels counts more than this.

    Of a model whose family is not known, the most that any family counts.
    """
    family = FAMILIES.get(base_model(model))
    return max(_most(each, side, detail) for each in ([family] if family else FAMILIES.values()))


def _most(family: Tiles | Patches, side: int, detail: Detail) -> int:
    if isinstance(family, Tiles):
        # The largest that is left as it is: of a square, 768 x 768 would remain.
        return family.count(min(side, 2048), min(side, 768), detail)
    limit = family.auto if detail == "auto" else family.high
    square = _patches(side, side, None)  # shrinking to the limit leaves at most the limit
    patches = square if limit is None else min(square, limit)
    return -(-patches * family.hundredths // 100)
