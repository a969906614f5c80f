"""Questions and images to what the model takes, arranged as in training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import torch
from torch import Tensor
from transformers import AutoProcessor, BatchFeature, ProcessorMixin

from eeca_ref.config import EecaConfig
from eeca_ref.data.chat import ChatFormat, image_token_id
from eeca_ref.data.images import CLIP_MEAN, CLIP_STD, ImageSettings, pixels_of
from eeca_ref.data.samples import IMAGE_TOKEN, Turn

if TYPE_CHECKING:
    from PIL.Image import Image


class EecaProcessor(ProcessorMixin):  # type: ignore[misc]
    """Tokenizer and image preparation of a model.

    Args:
        tokenizer: of the language model, with a chat template and the special token `<image>`.
        image_size: side of the high-resolution image in pixels.
        visual_tokens: that stand for an image.
        image_mean, image_std: of the vision tower's normalisation, RGB.
        fit: `pad` to a square and resize, or resize and `crop` its middle.
        chat_template: None: the tokenizer's.

    Raises:
        ValueError: the tokenizer has no special token `<image>`.
    """

    def __init__(
        self,
        tokenizer: Any,
        image_size: int = 672,
        visual_tokens: int = 704,
        image_mean: Sequence[float] = CLIP_MEAN,
        image_std: Sequence[float] = CLIP_STD,
        fit: Literal["pad", "crop"] = "pad",
        chat_template: str | None = None,
    ) -> None:
        template = chat_template or getattr(tokenizer, "chat_template", None)
        super().__init__(tokenizer, chat_template=template)
        self.image_token = IMAGE_TOKEN
        self.image_token_id = image_token_id(tokenizer)
        self.image_size, self.visual_tokens, self.fit = image_size, visual_tokens, fit
        self.image_mean, self.image_std = list(image_mean), list(image_std)

    @classmethod
    def of(cls, config: EecaConfig, tokenizer: Any, **settings: Any) -> Self:
        """The processor of a model. settings: `image_mean`, `image_std`, `fit`.

        ValueError: the tokenizer's `<image>` is not the model's.
        """
        processor = cls(
            tokenizer,
            image_size=config.image_size,
            visual_tokens=config.visual_tokens,
            **settings,
        )
        if processor.image_token_id != config.image_token_id:
            raise ValueError(
                f"{IMAGE_TOKEN} is {processor.image_token_id} in the tokenizer and "
                f"{config.image_token_id} in the model"
            )
        return processor

    def __call__(
        self,
        images: Image | Sequence[Image] | None = None,
        text: str | Sequence[str] | None = None,
        *,
        padding: bool | str = True,
        add_special_tokens: bool = True,
        return_tensors: str | None = "pt",
    ) -> BatchFeature:
        """Texts with `<image>` once where an image belongs, and the images in that order.

        Args:
            images: PIL images; [] or None where no text has one.
            text: one or several; a text that begins with BOS gets no other.
            padding: rows of one length are needed anyway: anything but True is refused.
            add_special_tokens: whether a text without BOS gets one.
            return_tensors: "pt" or None, which is the same.

        Returns:
            `input_ids`, `attention_mask` int64 [B, L], `<image>` as often as an image has tokens,
            padded on the tokenizer's side; `has_image` bool [B]; with images, `pixel_values`
            float32 [B, 3, S, S], zeros in rows without.

        Raises:
            ValueError: a text with `<image>` more than once, or their number is not the images'.
        """
        if return_tensors not in ("pt", None) or padding not in (True, "longest"):
            raise ValueError('the processor gives padded "pt" tensors')
        texts = [text] if isinstance(text, str) else list(text or [])
        pictures = _flat(images or [])
        shown = [words.count(IMAGE_TOKEN) for words in texts]
        if not texts or max(shown) > 1 or sum(shown) != len(pictures):
            raise ValueError(
                f"{len(pictures)} images for {len(texts)} texts that hold {IMAGE_TOKEN} "
                f"{', '.join(map(str, shown))} times"
            )
        rows = [self._ids(words, add_special_tokens) for words in texts]
        made: dict[str, Tensor] = self._padded(rows)
        made["has_image"] = torch.tensor([bool(count) for count in shown])
        if pictures:
            pixels = torch.zeros(len(texts), 3, self.image_size, self.image_size)
            settings = self.image_settings
            pixels[made["has_image"]] = torch.stack(
                [pixels_of(picture.convert("RGB"), settings) for picture in pictures]
            )
            made["pixel_values"] = pixels
        return BatchFeature(made)

    @property
    def image_settings(self) -> ImageSettings:
        """How images are prepared, for the trainer's data."""
        mean, std = (
            cast("tuple[float, float, float]", tuple(x)) for x in (self.image_mean, self.image_std)
        )
        return ImageSettings(size=self.image_size, fit=self.fit, mean=mean, std=std)

    @property
    def model_input_names(self) -> list[str]:
        """Keys of what a call returns."""
        return ["input_ids", "attention_mask", "pixel_values", "has_image"]

    def apply_chat_template(
        self,
        conversation: Sequence[Any],
        chat_template: str | None = None,
        *,
        add_generation_prompt: bool = False,
        tokenize: bool = False,
        return_dict: bool = False,
        return_tensors: str | None = "pt",
        processor_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Conversations as transformers writes them, rendered as the training data is.

        A message is {"role", "content"}; the content is a text or a list of {"type": "text",
        "text"} and {"type": "image", "image": PIL image or path}. The image goes to the front of
        its turn, plus a newline.

        Args:
            conversation: a list of messages, or a list of such lists.
            chat_template: the tokenizer's is used; None is the only choice.
            add_generation_prompt: whether the assistant's turn is begun.
            tokenize: False: texts, with `<image>` once. True: the ids, or with `return_dict` all
                that `__call__` returns.
            return_dict, return_tensors, processor_kwargs: see `tokenize` and `__call__`.

        Raises:
            ValueError: `<image>` in a text, several images, an image that no user shows.
        """
        if chat_template is not None:
            raise ValueError("the model was trained with the tokenizer's own chat template")
        batched = not isinstance(conversation[0], dict)
        conversations = list(conversation) if batched else [conversation]
        read = [_read(messages) for messages in conversations]
        chat = ChatFormat(self.tokenizer)
        texts = [
            chat.prompt(turns)
            if add_generation_prompt
            else self.tokenizer.apply_chat_template(
                [{"role": turn.role, "content": turn.content} for turn in turns], tokenize=False
            )
            for turns, _ in read
        ]
        if not tokenize:
            return texts if batched else texts[0]
        images = [image for _, shown in read for image in shown]
        made = self(
            images=images, text=texts, return_tensors=return_tensors, **(processor_kwargs or {})
        )
        return made if return_dict else made["input_ids"]

    def _ids(self, text: str, add_special_tokens: bool) -> list[int]:
        bos = self.tokenizer.bos_token
        begun = bos is not None and text.startswith(bos)
        ids: list[int] = self.tokenizer(text, add_special_tokens=add_special_tokens and not begun)[
            "input_ids"
        ]
        at = ids.index(self.image_token_id) if self.image_token_id in ids else None
        if at is None:
            return ids
        return ids[:at] + [self.image_token_id] * self.visual_tokens + ids[at + 1 :]

    def _padded(self, rows: list[list[int]]) -> dict[str, Tensor]:
        # Llama-3 has no pad token, and none is needed: the mask says what is padding
        longest = max(map(len, rows))
        ids_BL = torch.zeros(len(rows), longest, dtype=torch.long)
        mask_BL = torch.zeros_like(ids_BL)
        for row, ids in enumerate(rows):
            left = longest - len(ids) if self.tokenizer.padding_side == "left" else 0
            ids_BL[row, left : left + len(ids)] = torch.tensor(ids)
            mask_BL[row, left : left + len(ids)] = 1
        return {"input_ids": ids_BL, "attention_mask": mask_BL}


def add_image_token(tokenizer: Any) -> int:
    """Make `<image>` a special token of a tokenizer, if it is none yet; its id.

    The language model's embedding table need not have a row for it.
    """
    from tokenizers import AddedToken

    token = AddedToken(IMAGE_TOKEN, special=True, normalized=False)
    tokenizer.add_tokens([token], special_tokens=True)
    return image_token_id(tokenizer)


def _read(messages: Sequence[dict[str, Any]]) -> tuple[list[Turn], list[Image]]:
    """Turns with `<image>` in its place, and the image, if there is one."""
    from PIL import Image as Pil

    turns, images = [], []
    for message in messages:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        text = "\n".join(part["text"] for part in parts if part["type"] == "text").strip()
        shown = [part.get("image", part.get("path")) for part in parts if part["type"] == "image"]
        if IMAGE_TOKEN in text:
            raise ValueError(f"{IMAGE_TOKEN} stands in what the {message['role']} says")
        if shown and message["role"] != "user":
            raise ValueError(f"the {message['role']} shows an image, only a user can")
        if shown:
            text = f"{IMAGE_TOKEN}\n{text}".strip()
        images += shown
        turns.append(Turn(message["role"], text))
    if len(images) > 1:
        raise ValueError(f"a conversation shows {len(images)} images, the model takes one")
    opened = [Pil.open(each) if isinstance(each, str | Path) else each for each in images]
    if not all(isinstance(image, Pil.Image) for image in opened):
        raise ValueError('an image is given as {"type": "image", "image": PIL image or path}')
    return turns, cast("list[Image]", opened)


def _flat(images: Any) -> list[Any]:
    """One image, images, or lists of them per text, in order."""
    if not isinstance(images, list | tuple):
        return [images]
    return [one for each in images for one in _flat(each)]


AutoProcessor.register(EecaConfig, EecaProcessor)
