"""Where things are, and images that a tiny model can tell apart."""

from __future__ import annotations

import io
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TASKS = ROOT / "mgld" / "integrations" / "lmms_eval" / "tasks"
for folder in ("hub", "llm"):  # a build made by hand; the tiny model
    if str(ROOT / "tests" / folder) not in sys.path:
        sys.path.append(str(ROOT / "tests" / folder))

COLOURS = ("red", "green", "blue")


def coloured(landmark_id: int) -> bytes:
    """An image of one colour. Its EXIF says that it lies on its side: 64 x 48 as seen."""
    from PIL import Image

    image, buffer = Image.new("RGB", (48, 64), COLOURS[landmark_id // 6 % 3]), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(buffer, "JPEG", quality=95, exif=exif.tobytes())
    return buffer.getvalue()
