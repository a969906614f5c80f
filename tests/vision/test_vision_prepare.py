"""Pixels as open_clip makes them, to within 2 of 255, of any image."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from vision_tiny import open_clips_bytes

from mgld.gldv2 import decode_image
from mgld.vision.prepare import Preparer

# below, at and above the encoder's size; odd, square, thin
SHAPES = [(1, 1), (7, 5), (31, 32), (32, 32), (33, 47), (64, 48), (101, 77), (300, 37), (40, 311)]
SHAPES += [(20, 256 * 20), (640, 480), (481, 639)]


def both(**changes: Any) -> tuple[Preparer, Any]:
    """Ours, and open_clip's transform."""
    cfg = PreprocessCfg(**({"size": 32} | changes))
    reference = image_transform_v2(cfg, is_train=False)
    return Preparer(asdict(cfg), reference), reference


def scene(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Structure at every scale, within a range in which no resize overshoots 0 or 255.

    Where it does, the order of the two passes shows: Pillow 13 takes the vertical one first where
    that is less work, Pillow 12 and torch never do.
    """
    rng = np.random.default_rng(width * 1000 + height)
    fine = rng.integers(0, 70, (height, width, 3), dtype=np.uint8)
    coarse = Image.fromarray(rng.integers(50, 130, (5, 7, 3), dtype=np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    return Image.fromarray(np.asarray(coarse) + fine).convert(mode)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"size": 64},
        {"interpolation": "bilinear"},
        {"resize_mode": "squash"},
        {"resize_mode": "squash", "size": (32, 48)},
    ],
    ids=str,
)
def test_as_open_clip_makes_them(changes: dict[str, Any]) -> None:
    ours, reference = both(**changes)
    differing = []
    for shape in SHAPES:
        image = scene(*shape)
        (theirs,) = open_clips_bytes(reference, [image])
        pixels = ours(image)
        assert (pixels.dtype, pixels.shape) == (np.uint8, theirs.shape)
        assert pixels.flags["C_CONTIGUOUS"]
        difference = np.abs(pixels.astype(int) - theirs)
        assert difference.max() <= 2, shape
        differing.append(difference.mean())
    # and hardly any value at all but in tall images, whose passes Pillow 13 takes the other way
    assert np.median(differing) < 0.01


@pytest.mark.parametrize(
    "changes", [{"resize_mode": "longest"}, {"size": (32, 48)}], ids=["padded", "oblong"]
)
def test_what_is_not_native_takes_open_clips_own_steps(changes: dict[str, Any]) -> None:
    ours, reference = both(**changes)
    for shape in SHAPES[:8]:
        (theirs,) = open_clips_bytes(reference, [scene(*shape)])
        assert np.array_equal(ours(scene(*shape)), theirs)


def test_an_image_of_the_encoders_size_is_not_touched() -> None:
    ours, _ = both()
    image = scene(32, 32)
    assert np.array_equal(ours(image), np.asarray(image).transpose(2, 0, 1))


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA", "1"])
def test_other_modes_are_made_rgb_first(mode: str) -> None:
    ours, _ = both()
    image = scene(50, 40, mode)
    assert np.array_equal(ours(image), ours(image.convert("RGB")))


def test_an_image_that_pillow_keeps_in_pieces() -> None:
    ours, reference = both()
    image = scene(2100, 2010)
    with pytest.raises(ValueError, match="not contiguous"):
        pa.array(image)
    (theirs,) = open_clips_bytes(reference, [image])
    assert np.abs(ours(image).astype(int) - theirs).max() <= 2
    # and what was prepared does not live in the image's memory
    small = scene(32, 32)
    prepared = ours(small)
    before = prepared.copy()
    small.paste("red", (0, 0, 32, 32))
    assert np.array_equal(prepared, before)


def test_small_images_are_decoded_whole() -> None:
    """Whatever needs no reduction is what it was, whether reduction is allowed or not."""
    ours, _ = both()
    assert ours.short_side == 96
    for shape in [(8, 8), (96, 96), (190, 400), (191, 192)]:
        data = io.BytesIO()
        scene(*shape).save(data, "JPEG")
        whole, allowed = decode_image(data.getvalue()), decode_image(data.getvalue(), short_side=96)
        assert np.array_equal(np.asarray(whole.image), np.asarray(allowed.image))
        assert np.array_equal(ours(whole.image), ours(allowed.image))
    data = io.BytesIO()
    scene(192, 400).save(data, "JPEG")
    assert decode_image(data.getvalue(), short_side=96).image.size == (96, 200)


def test_overshoot_is_clipped_in_pillows_order_of_old() -> None:
    """Black beside white: as Pillow where the horizontal pass comes first."""
    ours, _ = both()
    pixels = np.random.default_rng(0).integers(0, 2, (311, 40, 3), dtype=np.uint8) * 255
    image = Image.fromarray(pixels)
    bicubic = Image.Resampling.BICUBIC
    theirs = image.resize((32, 311), bicubic).resize((32, 248), bicubic)
    expected = np.asarray(theirs).transpose(2, 0, 1)[:, 108:140]
    assert np.abs(ours(image).astype(int) - expected).max() <= 2


def test_the_same_from_many_threads() -> None:
    from mgld.vision.pipeline import in_order

    ours, _ = both(size=64)
    images = [scene(40 + i, 30 + 2 * i) for i in range(40)]
    alone = [ours(image) for image in images]
    together = list(in_order(ours, images, threads=4, ahead=16))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
