"""LLaVA's "plain" format of stage 1: BOS, image, caption, newline; the loss is on the caption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eeca_ref.data.chat import image_token_id, special_ids
from eeca_ref.data.samples import IMAGE_TOKEN, SampleError, Turn
from eeca_ref.data.tokens import Role, Tokens


class PlainFormat:
    """What the user says is left out: the image stands for it. No chat template is needed.

    The newline belongs to the caption and is supervised, as in LLaVA; no end token is taught.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.image_id = image_token_id(tokenizer)

    def encode(self, turns: Sequence[Turn]) -> Tokens:
        """Tokens of one sample; see `encode_many`. Raises its SampleError."""
        (result,) = self.encode_many([turns])
        if isinstance(result, SampleError):
            raise result
        return result

    def encode_many(self, conversations: Sequence[Sequence[Turn]]) -> list[Tokens | SampleError]:
        """Tokens of each sample, in their order; SampleError where it is no image with a caption"""
        captions: list[str | SampleError] = [_caption(turns) for turns in conversations]
        texts = [caption + "\n" for caption in captions if isinstance(caption, str)]
        encoded = iter(
            self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        )
        return [self._tokens(next(encoded)) if isinstance(c, str) else c for c in captions]

    def _tokens(self, caption: list[int]) -> Tokens | SampleError:
        if not special_ids(self.tokenizer).isdisjoint(caption):
            return SampleError("special_token", "the caption writes out a special token")
        bos = [] if self.tokenizer.bos_token_id is None else [self.tokenizer.bos_token_id]
        ids = [*bos, self.image_id, *caption]
        roles = [Role.TEMPLATE] * len(bos) + [Role.IMAGE] + [Role.CAPTION] * len(caption)
        return Tokens(np.array(ids, np.int32), np.array(roles, np.uint8))


def _caption(turns: Sequence[Turn]) -> str | SampleError:
    if [turn.role for turn in turns] != ["user", "assistant"]:
        return SampleError("not_a_caption", "stage 1 wants one question and one answer")
    if IMAGE_TOKEN not in turns[0].content:
        return SampleError("not_a_caption", "stage 1 wants an image")
    return turns[1].content
