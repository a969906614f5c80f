"""Pixels: LLaVA's padding, CLIP's cropping, and pictures that are odd or none."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from eeca_ref.data import images
from eeca_ref.data.images import CLIP_MEAN, CLIP_STD, ImageSettings, load_pixels, pad_to_square
from mgld.gldv2 import ImageError

COLOUR = (122, 116, 104)


def picture(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3))
    return Image.fromarray(pixels.astype(np.uint8))


def data_of(image: Image.Image, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("width", "height", "left", "top"),
    [(7, 4, 0, 1), (4, 7, 1, 0), (8, 4, 0, 2), (5, 5, 0, 0), (1, 4, 1, 0), (4, 3, 0, 0)],
)
def test_padding_is_halved_downwards(width: int, height: int, left: int, top: int) -> None:
    image = picture(width, height)
    square = np.asarray(pad_to_square(image))
    side = max(width, height)
    expected = np.full((side, side, 3), COLOUR, np.uint8)
    expected[top : top + height, left : left + width] = np.asarray(image)
    assert np.array_equal(square, expected)
    # Of an odd difference the larger part is right or below.
    assert side - width - left - left in (0, 1)
    assert side - height - top - top in (0, 1)


@pytest.mark.parametrize(("width", "height"), [(300, 201), (201, 300), (64, 64), (40, 33)])
@pytest.mark.parametrize("size", [64, 98])
def test_padded_pixels_are_pillows_and_clips(width: int, height: int, size: int) -> None:
    """Pad, bicubic by Pillow, normalise: written out once more in float64."""
    image = picture(width, height)
    pixels = load_pixels(data_of(image), ImageSettings(size=size))
    assert pixels.dtype == torch.float32
    assert pixels.shape == (3, size, size)
    square = pad_to_square(image).resize((size, size), Image.Resampling.BICUBIC)
    expected = (np.asarray(square, np.float64) / 255 - CLIP_MEAN) / CLIP_STD
    torch.testing.assert_close(
        pixels.double(), torch.from_numpy(expected.transpose(2, 0, 1)), rtol=0, atol=1e-5
    )


def test_padded_pixels_are_llavas() -> None:
    from transformers import LlavaImageProcessorPil

    processor = LlavaImageProcessorPil(
        do_pad=True, size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}
    )
    for width, height in ((301, 200), (200, 301), (90, 90)):
        image = picture(width, height)
        theirs = processor(image, return_tensors="pt")["pixel_values"][0]
        ours = load_pixels(data_of(image), ImageSettings(size=64))
        assert (ours - theirs).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("width", "height"),
    [(300, 201), (201, 301), (64, 64), (65, 64), (33, 260), (20, 21), (1, 8), (100, 150)],
)
def test_cropped_pixels_are_clips(width: int, height: int) -> None:
    from transformers import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil(
        size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}
    )
    image = picture(width, height)
    theirs = processor(image, return_tensors="pt")["pixel_values"][0]
    ours = load_pixels(data_of(image), ImageSettings(size=64, fit="crop"))
    assert (ours - theirs).abs().max() < 1e-5


def test_the_same_bytes_give_the_same_pixels() -> None:
    data = data_of(picture(50, 30))
    settings = ImageSettings(size=32)
    assert torch.equal(load_pixels(data, settings), load_pixels(data, settings))


def test_a_tower_with_another_normalisation() -> None:
    settings = ImageSettings(size=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    pixels = load_pixels(data_of(Image.new("RGB", (8, 4), (255, 0, 0))), settings)
    assert pixels[:, 4, 4].tolist() == [1, -1, -1]
    assert pixels[:, 0, 0].tolist() == pytest.approx([127 / 255 * 2 - 1] * 3)  # int(255 * mean)


def test_a_strip_is_reduced_before_it_is_padded(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = []
    pad = images.pad_to_square

    def padded(image: Image.Image, mean: tuple[float, ...]) -> Image.Image:
        sides.append(max(image.size))
        return pad(image, mean)

    monkeypatch.setattr(images, "pad_to_square", padded)
    for size in ((30_000, 150), (150, 30_000)):
        pixels = load_pixels(data_of(Image.new("RGB", size, "white")), ImageSettings(size=64))
        assert pixels.shape == (3, 64, 64)
    assert max(sides) <= images.MAX_SIDE


def test_the_middle_of_a_strip_is_the_middle_of_clips() -> None:
    from transformers import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil(
        size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}
    )
    across, along = np.meshgrid(np.arange(33), np.arange(2001))
    waves = [128 + 100 * np.sin(along / 9), 7 * across, 128 + 100 * np.cos(along / 7)]
    strip = Image.fromarray(np.stack(waves, axis=2).astype(np.uint8))
    theirs = processor(strip, return_tensors="pt")["pixel_values"][0]
    ours = load_pixels(data_of(strip), ImageSettings(size=64, fit="crop"))
    assert (ours - theirs).abs().max() < 0.15
    load_pixels(data_of(Image.new("RGB", (20_000, 100))), ImageSettings(size=64, fit="crop"))


@pytest.mark.parametrize(
    ("mode", "expected"), [("L", (9, 9, 9)), ("RGBA", (255, 255, 255)), ("CMYK", None)]
)
def test_other_modes(mode: str, expected: tuple[int, ...] | None) -> None:
    image = Image.new("RGB", (8, 8), (9, 9, 9)).convert(mode)
    if mode == "RGBA":
        image.putalpha(0)
    buffer = BytesIO()
    image.save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    pixels = load_pixels(buffer.getvalue(), ImageSettings(size=8, mean=(0, 0, 0), std=(1, 1, 1)))
    if expected:
        assert (pixels[:, 0, 0] * 255).round().tolist() == list(expected)


@pytest.mark.parametrize("data", [b"", b"<html>", b"\x89PNG\r\n\x1a\nxx"])
def test_no_image(data: bytes) -> None:
    with pytest.raises(ImageError):
        load_pixels(data, ImageSettings())
