"""An image as it is sent: upright, RGB, JPEG, no larger than asked for, the same bytes every time.

A request's key holds the hash of the original file (`mgld.llm.request`); what is sent follows from
that file and the parameters alone, so that a request made again is the same request.
"""

from __future__ import annotations

import base64
import io

from mgld.llm.request import Parameters

QUALITY = 90
SUBSAMPLING = "4:2:0"
_ORIENTATION = 0x0112  # EXIF tag; 1, or none, is upright


def data_url(original: bytes, parameters: Parameters) -> str:
    """`data:image/jpeg;base64,...` of an image file, its longest side at most `image_side` pixels.

    An upright RGB JPEG that is small enough is sent as it is, byte for byte. Everything else is
    decoded, turned upright, scaled down (Lanczos, never up) and encoded with a fixed quality and
    without metadata.

    ValueError (`mgld.gldv2.decode.ImageError`) where the bytes are no image that can be decoded.
    """
    return "data:image/jpeg;base64," + base64.b64encode(_jpeg(original, parameters)).decode()


def sent_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Size in pixels at which a `width` x `height` image is sent: longest side at most `side`.

    Halves are rounded up; no side becomes 0.
    """
    longest = max(width, height)
    if longest <= side:
        return width, height
    scaled = [max(1, (2 * length * side + longest) // (2 * longest)) for length in (width, height)]
    return scaled[0], scaled[1]


def _jpeg(original: bytes, parameters: Parameters) -> bytes:
    from PIL import Image

    from mgld.gldv2.decode import decode_image

    # Decoded even where the bytes go out as they are: what cannot be decoded must not be paid for.
    decoded = decode_image(original)
    size = sent_size(decoded.width, decoded.height, parameters.image_side)
    fits = size == (decoded.width, decoded.height)
    if fits and not decoded.note and _plain(original, decoded.width * decoded.height * 3):
        return original
    image = decoded.image if fits else decoded.image.resize(size, Image.Resampling.LANCZOS)
    image.info = {}  # Pillow would copy comments and the like
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, subsampling=SUBSAMPLING)
    return out.getvalue()


def _plain(original: bytes, raw_bytes: int) -> bool:
    """Whether a decodable file is one upright JPEG picture, and not mostly something else.

    A file larger than its pixels would be raw carries thumbnails, previews or whole other files.
    """
    from PIL import Image

    with Image.open(io.BytesIO(original)) as opened:
        upright = opened.getexif().get(_ORIENTATION, 1) == 1
        return opened.format == "JPEG" and upright and len(original) <= raw_bytes
