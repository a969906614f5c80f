import base64
import io
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mgld.llm.images import data_url, sent_size
from mgld.llm.request import Parameters

PREFIX = "data:image/jpeg;base64,"


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    noise = Image.frombytes("RGB", (16, 12), random.Random(seed).randbytes(16 * 12 * 3))
    return noise.resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def sent(original: bytes, **parameters: int) -> bytes:
    url = data_url(original, Parameters(**parameters))
    assert url.startswith(PREFIX)
    return base64.b64decode(url.removeprefix(PREFIX), validate=True)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return image


def test_a_small_upright_jpeg_is_sent_byte_for_byte() -> None:
    original = encoded(picture(300, 200), quality=70)
    assert sent(original, image_side=300) == original


def test_a_large_image_is_scaled_to_the_side_and_the_same_bytes_come_every_time() -> None:
    original = encoded(picture(1000, 500))
    first = sent(original, image_side=256)
    assert opened(first).size == (256, 128)
    assert sent(original, image_side=256) == first


def test_pixels_survive_scaling() -> None:
    image = Image.new("RGB", (800, 600), (200, 30, 30))
    image.paste((20, 40, 220), (400, 0, 800, 600))
    small = opened(sent(encoded(image), image_side=100))
    left, right = small.getpixel((10, 40)), small.getpixel((90, 40))
    assert left[0] > 180 > 60 > left[2]
    assert right[2] > 180 > 60 > right[0]


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "BMP"])
def test_other_formats_become_jpeg_and_are_not_enlarged(format: str) -> None:
    small = opened(sent(encoded(picture(64, 48), format), image_side=768))
    assert small.size == (64, 48)


def test_orientation_is_applied_and_no_metadata_is_left() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    exif[0x010E] = "secret place"
    original = encoded(picture(300, 200), exif=exif, comment=b"secret comment")
    data = sent(original, image_side=768)
    image = opened(data)
    assert image.size == (200, 300)
    assert not image.getexif()
    assert b"secret" not in data


@pytest.mark.parametrize("mode", ["CMYK", "L"])
def test_jpeg_that_is_not_rgb_becomes_rgb(mode: str) -> None:
    assert opened(sent(encoded(picture(40, 30).convert(mode)))).size == (40, 30)


def test_a_small_picture_in_a_huge_file_is_not_sent_as_it_is() -> None:
    original = encoded(picture(64, 48)) + bytes(1_000_000)
    assert len(sent(original)) < 20_000


@pytest.mark.parametrize("bad", [b"", b"<html>", encoded(picture(300, 200))[:-400]])
def test_what_cannot_be_decoded_is_an_error_even_where_it_would_be_sent_as_it_is(
    bad: bytes,
) -> None:
    with pytest.raises(ValueError):
        data_url(bad, Parameters())


@given(st.integers(1, 9000), st.integers(1, 9000), st.integers(32, 4096))
def test_sent_size_keeps_the_ratio_and_never_enlarges(width: int, height: int, side: int) -> None:
    across, down = sent_size(width, height, side)
    assert 1 <= across <= width and 1 <= down <= height
    assert max(across, down) == min(side, max(width, height))
    scale = max(across, down) / max(width, height)
    assert abs(across - width * scale) <= 1 and abs(down - height * scale) <= 1


def test_sent_size_is_the_size_that_is_sent() -> None:
    for width, height in [(777, 333), (333, 777), (1001, 1000), (900, 4)]:
        assert opened(sent(encoded(picture(width, height)), image_side=500)).size == sent_size(
            width, height, 500
        )


def test_importing_it_loads_no_image_library() -> None:
    import subprocess
    import sys

    code = "import sys, mgld.llm.images; sys.exit('PIL' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path.cwd(), check=False).returncode == 0
