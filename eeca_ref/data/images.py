"""From an image's bytes to the float32 pixels of the high-resolution image; nothing is random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from mgld.gldv2 import decode_image
from mgld.schema import Record

if TYPE_CHECKING:
    from PIL import Image

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

MAX_SIDE = 8192
"""A longer picture is reduced by a whole factor first: the square around a strip of 131,072 x 512
pixels would take 50 GB."""


class ImageSettings(Record):
    """`size`: side of the high-resolution image in pixels.

    `fit`: `pad` to a square with the mean colour, then resize (LLaVA-1.5, stages 2 and 3); `crop`:
    resize the shorter side, then cut the middle out (CLIP's own, LLaVA's stage 1). `mean`, `std`:
    of the vision tower's normalisation, RGB.
    """

    size: int = Field(672, gt=0)
    fit: Literal["pad", "crop"] = "pad"
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD


def load_pixels(data: bytes, settings: ImageSettings) -> Tensor:
    """float32 [3, size, size], normalised. mgld.gldv2.ImageError: no image."""
    image = decode_image(data).image
    return pixels_of(image, settings)


def pixels_of(image: Image.Image, settings: ImageSettings) -> Tensor:
    """float32 [3, size, size] of an RGB image, normalised."""
    image = _limited(image)
    if settings.fit == "pad":
        image = pad_to_square(image, settings.mean)
    square = _resized(image, settings)
    values_HWC = np.asarray(square, np.float32) / np.float32(255)
    mean, std = np.array(settings.mean, np.float32), np.array(settings.std, np.float32)
    return torch.from_numpy(((values_HWC - mean) / std).transpose(2, 0, 1).copy())


def pad_to_square(image: Image.Image, mean: Sequence[float] = CLIP_MEAN) -> Image.Image:
    """The image in the middle of a square of the colour int(255 * mean).

    The offset is the difference // 2: of an odd difference the larger half is right or below.
    """
    from PIL import Image as Pil

    if image.width == image.height:
        return image
    side = max(image.width, image.height)
    square = Pil.new("RGB", (side, side), tuple(int(255 * value) for value in mean))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def _limited(image: Image.Image) -> Image.Image:
    factor = -(-max(image.size) // MAX_SIDE)
    if factor <= 1:
        return image
    # Not more than the shorter side has: a strip keeps a pixel of it.
    return image.reduce((min(factor, image.width), min(factor, image.height)))


def _resized(image: Image.Image, settings: ImageSettings) -> Image.Image:
    """Bicubic, the shorter side to `size`, and the middle of the longer one."""
    from PIL import Image as Pil

    size, (width, height) = settings.size, image.size
    shorter = min(width, height)
    wide, high = size * width // shorter, size * height // shorter
    if (width, height) != (wide, high):
        # Only what is kept is computed: a strip would be 256 times `size` long otherwise.
        left, top = (wide - size) // 2, (high - size) // 2
        scale_x, scale_y = width / wide, height / high
        right = min(width, (left + size) * scale_x)  # rounding may go past the edge
        below = min(height, (top + size) * scale_y)
        box = (left * scale_x, top * scale_y, right, below)
        return image.resize((size, size), Pil.Resampling.BICUBIC, box=box)
    left, top = (width - size) // 2, (height - size) // 2
    return image.crop((left, top, left + size, top + size))
