"""From the bytes of an image to upright RGB pixels, whatever the bytes are.

GLDv2 publishes JPEG. Other common formats under a `.jpg` name are decoded too and noted; anything
else is an ImageError with a status, which callers keep as a row.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 1 << 26
"""Default limit on width x height, 67 megapixels: 256 MiB, as Pillow keeps RGB in 4 bytes."""

MAX_SIDES_RATIO = 256
"""Limit on the longer side over the shorter. Encoders scale the shorter side up to their own size:
20 x 3,000,000 pixels are few, but 17 billion at a height of 336."""

# Only formats that Pillow decodes itself, and that photographs come in: no EPS (runs Ghostscript),
# no TIFF or PDF (large parsers that GLDv2 has no use for).
# MPO, JPEG with several pictures, is opened by the JPEG plugin.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
JPEG_FORMATS = ("JPEG", "MPO")
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF", b"BM")
"""How files of FORMATS start: tells a damaged image from what never was one."""


class ImageError(ValueError):
    """An image that cannot become pixels.

    status: `empty`, `not_an_image` (an HTML page, a text, an unsupported format), `too_large` (over
    the limit of pixels or of the ratio of the sides; decided by the header, nothing was decoded),
    `damaged` (truncated or corrupt).
    """

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class DecodedImage:
    """`image`: PIL, mode RGB, upright. `width`, `height`: the size of the whole image in pixels.

    `image` is smaller where it was decoded at reduced scale. `note`: what was unusual, "" for a
    plain JPEG; several notes are joined with "; ".
    """

    image: Image.Image
    width: int
    height: int
    note: str


def decode_image(
    data: bytes, *, max_pixels: int = MAX_PIXELS, short_side: int | None = None
) -> DecodedImage:
    """Decode `data` to an upright RGB image of at most `max_pixels` pixels, and no thin strip.

    EXIF orientation is applied; CMYK, greyscale, palette and 16-bit images are converted;
    transparency is laid on white; of several frames the first is taken.

    short_side: a JPEG is decoded at 1/8, 1/4 or 1/2 of its scale where at least so many pixels are
    left of its shorter side and that divides both sides, so that the smaller image shows just what
    the whole one does. None: always whole.

    Raises ImageError.
    """
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise ImageError("empty", "no bytes")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            width, height = opened.size
            if width * height > max_pixels:
                reason = f"{width} x {height} pixels, over the limit of {max_pixels}"
                raise ImageError("too_large", reason)
            if max(width, height) > MAX_SIDES_RATIO * min(width, height):
                reason = f"{width} x {height} pixels: a strip over 1 : {MAX_SIDES_RATIO}"
                raise ImageError("too_large", reason)
            scale = 1
            if short_side is not None and opened.format in JPEG_FORMATS:
                scale = _reduction(width, height, short_side)
            if scale > 1:
                opened.draft(None, (width // scale, height // scale))
                scale = width // opened.width
            opened.load()
            return _upright_rgb(opened, scale)
    except (ImageError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("too_large", str(error)) from error
    except UnidentifiedImageError as error:
        if data.startswith(MAGIC):
            raise ImageError("damaged", "the header of the image cannot be read") from error
        raise ImageError("not_an_image", f"starts with {data[:24]!r}") from error
    # Decoders of hostile bytes raise whatever their code happens to hit (OSError, SyntaxError,
    # struct.error, IndexError, ...). All of it means the same: this row has no pixels.
    except Exception as error:
        raise ImageError("damaged", f"{type(error).__name__}: {error}") from error


def _reduction(width: int, height: int, short_side: int) -> int:
    """The largest s for which 1/s of the image is exact and keeps `short_side` pixels.

    Of the scales that libjpeg-turbo has, n/8, only these save time: it decodes to others by code
    that takes longer than decoding everything.
    """
    for scale in (8, 4, 2):
        if width % scale == height % scale == 0 and min(width, height) // scale >= short_side:
            return scale
    return 1


def _upright_rgb(opened: Image.Image, scale: int) -> DecodedImage:
    from PIL import ExifTags, Image, ImageOps

    notes = []
    if opened.format not in JPEG_FORMATS:
        notes.append(f"{opened.format} under a JPEG name")
    if getattr(opened, "is_animated", False):
        notes.append("first of several frames")
    image: Image.Image = opened
    try:
        if opened.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            image = ImageOps.exif_transpose(opened)  # a copy, even where nothing is to be turned
    except Exception as error:  # Damaged EXIF in a sound image: the pixels are still worth having.
        notes.append(f"EXIF orientation not readable ({type(error).__name__})")
    if image.mode.startswith("I"):
        image = _eight_bit(image)
        notes.append("16-bit greyscale")
    elif image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
        notes.append("transparency laid on white")
    elif image.mode != "RGB":
        notes.append(f"mode {image.mode}")
    # A copy where nothing was converted: the opened image is closed by the caller.
    image = image.convert("RGB") if image.mode != "RGB" else image.copy()
    return DecodedImage(image, image.width * scale, image.height * scale, "; ".join(notes))


def _eight_bit(image: Image.Image) -> Image.Image:
    """A 16-bit greyscale image by its high bytes; Pillow's own conversion clips at 255."""
    import numpy as np
    from PIL import Image

    values = np.asarray(image).astype(np.int64).clip(0, 0xFFFF)
    return Image.fromarray((values >> 8).astype(np.uint8))
