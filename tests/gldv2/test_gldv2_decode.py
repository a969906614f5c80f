"""Whatever the bytes are: upright RGB pixels, or an ImageError that says why not."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mgld.gldv2 import ImageError, decode_image


def encoded(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def scene(width: int = 40, height: int = 24) -> Image.Image:
    """Red left half, blue right half."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


PLAIN = encoded(scene(), quality=95)


def colour(image: Image.Image, x: int, y: int) -> str:
    red, green, blue = image.getpixel((x, y))
    names = {(1, 0, 0): "red", (0, 0, 1): "blue", (1, 1, 1): "white", (0, 0, 0): "black"}
    return names.get((red > 127, green > 127, blue > 127), f"{red},{green},{blue}")


def failure(data: bytes, **options: int) -> tuple[str, str]:
    with pytest.raises(ImageError) as caught:
        decode_image(data, **options)
    return caught.value.status, caught.value.reason


def test_a_plain_jpeg() -> None:
    result = decode_image(PLAIN)
    assert (result.image.mode, result.width, result.height, result.note) == ("RGB", 40, 24, "")
    assert colour(result.image, 2, 2) == "red"
    result.image.resize((2, 2))  # pixels stay usable after the file is closed


def test_exif_rotation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side
    result = decode_image(encoded(scene(), exif=exif, quality=95))
    assert (result.width, result.height) == (24, 40)
    assert colour(result.image, 2, 2) == "red"
    assert colour(result.image, 2, 37) == "blue"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_cost_the_pixels() -> None:
    junk = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 40
    result = decode_image(encoded(scene(), exif=junk))
    assert (result.width, result.height) == (40, 24)


@pytest.mark.parametrize("mode", ["CMYK", "L"])
def test_other_jpeg_modes_become_rgb(mode: str) -> None:
    result = decode_image(encoded(scene().convert(mode), quality=95))
    assert (result.image.mode, result.note) == ("RGB", f"mode {mode}")
    if mode == "CMYK":
        assert colour(result.image, 35, 2) == "blue"
    else:
        assert result.image.getpixel((2, 2)) == pytest.approx((76, 76, 76), abs=3)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "BMP"])
def test_other_formats_are_decoded_and_noted(form: str) -> None:
    result = decode_image(encoded(scene(), form))
    assert result.note.startswith(f"{form} under a JPEG name")
    assert (result.image.mode, colour(result.image, 35, 2)) == ("RGB", "blue")


def test_palette_sixteen_bit_and_transparent_images() -> None:
    palette = decode_image(encoded(scene().convert("P"), "PNG"))
    assert colour(palette.image, 2, 2) == "red"
    deep = np.linspace(0, 65535, 40 * 24).reshape(24, 40).astype(np.uint16)
    grey = decode_image(encoded(Image.fromarray(deep), "PNG"))
    assert "16-bit" in grey.note
    assert np.asarray(grey.image)[..., 0] == pytest.approx(deep >> 8)
    clear = decode_image(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "PNG"))
    assert colour(clear.image, 1, 1) == "white"
    assert "transparency laid on white" in clear.note


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation(form: str) -> None:
    frames = [Image.new("RGB", (8, 8), name) for name in ("red", "blue", "white")]
    result = decode_image(encoded(frames[0], form, save_all=True, append_images=frames[1:]))
    assert "first of several frames" in result.note
    assert colour(result.image, 1, 1) == "red"


def test_a_multi_picture_jpeg_is_a_jpeg() -> None:
    data = encoded(scene(), "MPO", save_all=True, append_images=[scene()])
    result = decode_image(data)
    assert (result.width, result.note) == (40, "first of several frames")


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body


def test_the_pixel_limit_is_decided_by_the_header() -> None:
    assert failure(PLAIN, max_pixels=40 * 24 - 1)[0] == "too_large"
    assert decode_image(PLAIN, max_pixels=40 * 24).width == 40
    status, reason = failure(png_header(9000, 9000))
    assert (status, "9000 x 9000" in reason) == ("too_large", True)
    assert failure(png_header(100_000, 100_000))[0] == "too_large"  # over Pillow's own limit
    assert failure(png_header(2**31 - 1, 2**31 - 1))[0] == "too_large"


def test_a_strip_is_not_scaled_up_to_gigabytes() -> None:
    """An encoder would make 336 x 16,800,000 pixels of the widest strip that the limit allows."""
    status, reason = failure(encoded(Image.new("L", (60_000, 20)), "PNG"))
    assert (status, "60000 x 20" in reason) == ("too_large", True)
    assert failure(png_header(1, 257))[0] == "too_large"
    assert decode_image(encoded(Image.new("L", (1, 256)), "PNG")).height == 256


@pytest.mark.parametrize("keep", [3, 20, 200, len(PLAIN) // 2, len(PLAIN) - 20])
def test_a_truncated_jpeg_is_damaged(keep: int) -> None:
    assert failure(PLAIN[:keep])[0] == "damaged"


def test_bytes_that_are_no_image() -> None:
    assert failure(b"") == ("empty", "no bytes")
    assert failure(b"<!DOCTYPE html><html>404")[0] == "not_an_image"
    assert failure(b"\0" * 1000)[0] == "not_an_image"
    assert failure(encoded(scene(), "TIFF"))[0] == "not_an_image"
    assert failure(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")[0] == "not_an_image"
    assert failure(png_header(0, 5))[0] == "damaged"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=40), st.integers(0, len(PLAIN)), st.integers(0, 40))
def test_mangled_bytes_never_raise_anything_else(junk: bytes, at: int, cut: int) -> None:
    data = PLAIN[:at] + junk + PLAIN[at + cut :]
    try:
        result = decode_image(data, max_pixels=1 << 20)
    except ImageError as error:
        assert error.status in {"empty", "not_an_image", "too_large", "damaged"}
        assert error.reason
    else:
        assert result.image.mode == "RGB"
        assert result.image.size == (result.width, result.height)


def jpegs() -> dict[str, bytes]:
    """JPEGs of every sort, 96 x 64, that a scale of 1/2 is exact for."""
    turned = Image.Exif()
    turned[0x0112] = 6
    image = scene(96, 64)
    return {
        "plain": encoded(image, quality=95),
        "progressive": encoded(image, quality=95, progressive=True),
        "grey": encoded(image.convert("L"), quality=95),
        "CMYK": encoded(image.convert("CMYK"), quality=95),
        "4:4:4": encoded(image, quality=95, subsampling=0),
        "turned": encoded(image, exif=turned, quality=95),
        "pictures": encoded(image, "MPO", save_all=True, append_images=[image]),
    }


@pytest.mark.parametrize("sort", jpegs())
def test_a_reduced_jpeg_says_the_same_of_itself(sort: str) -> None:
    data = jpegs()[sort]
    whole, half = decode_image(data), decode_image(data, short_side=32)
    assert (half.width, half.height, half.note) == (whole.width, whole.height, whole.note)
    assert half.image.size == (whole.width // 2, whole.height // 2)
    assert half.image.mode == "RGB"
    for x, y in [(2, 2), (whole.width - 3, whole.height - 3), (whole.width - 3, 2)]:
        assert colour(half.image, x // 2, y // 2) == colour(whole.image, x, y)


@pytest.mark.parametrize(
    ("width", "height", "short_side", "scale"),
    [
        (96, 64, 33, 1),
        (96, 64, 32, 2),
        (96, 64, 16, 4),
        (96, 64, 1, 8),
        (97, 64, 32, 1),  # half a pixel would be left over
        (100, 68, 8, 4),
        (96, 66, 8, 2),
    ],
)
def test_the_scale_keeps_the_short_side_and_every_pixel(
    width: int, height: int, short_side: int, scale: int
) -> None:
    result = decode_image(encoded(scene(width, height)), short_side=short_side)
    assert (result.width, result.height) == (width, height)
    assert result.image.size == (width // scale, height // scale)
    png = decode_image(encoded(scene(width, height), "PNG"), short_side=short_side)
    assert png.image.size == (width, height)


def outcome(data: bytes, short_side: int | None) -> tuple[object, ...]:
    try:
        result = decode_image(data, max_pixels=1 << 20, short_side=short_side)
    except ImageError as error:
        return (error.status,)
    return (result.width, result.height, result.note)


@pytest.mark.parametrize("sort", ["plain", "progressive", "grey", "CMYK", "turned"])
def test_what_is_damaged_is_damaged_at_every_scale(sort: str) -> None:
    data = jpegs()[sort]
    for keep in range(0, len(data), max(1, len(data) // 60)):
        assert outcome(data[:keep], 8) == outcome(data[:keep], None), keep
    huge = encoded(Image.new("L", (1032, 1032)))
    assert outcome(huge, 8) == outcome(huge, None) == ("too_large",)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 3000), st.integers(0, 40))
def test_mangled_bytes_come_to_the_same_at_every_scale(junk: bytes, at: int, cut: int) -> None:
    data = jpegs()["plain"]
    data = data[:at] + junk + data[at + cut :]
    assert outcome(data, 8) == outcome(data, None)
