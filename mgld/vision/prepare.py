"""From an RGB image to what an image tower sees, as fast as it goes and for any encoder.

open_clip's own preparation resizes with Pillow and makes floats of every image: 7 ms for a
photograph of 800 x 600 at 336 px, of which decoding takes a fifth. Here the same resize is done by
torch on bytes, and floats are made of a whole batch, on the device. A value differs in 1 of 200
places from Pillow's, by 1 or 2 of 255. docs/definitions.md, "Pixels", says what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from PIL.Image import Image

PIXELS = "uint8-1"
"""Name of this way to make pixels; another name where other pixels come out of it."""

KEPT_BY_REDUCTION = 3
"""A JPEG may be decoded at reduced scale if this many times the encoder's size is left of it."""

Pixels: TypeAlias = "NDArray[np.uint8]"
"""What an image tower sees of an image, not yet normalized: uint8 [3, H, W]."""


class Preparer:
    """PIL image -> uint8 [3, H, W], the size and crop of open_clip's inference transform.

    May be called from several threads at once. `reference` is that transform: PIL image -> float32
    [3, H, W]; where it pads or is not square, its own steps are taken.
    """

    def __init__(self, preprocess_cfg: Mapping[str, Any], reference: Any) -> None:
        size = preprocess_cfg["size"]
        height, width = (size, size) if isinstance(size, int) else size
        self.size: tuple[int, int] = (height, width)
        mode = preprocess_cfg["resize_mode"]
        self._squash = mode == "squash"
        self._native = self._squash or (mode == "shortest" and height == width)
        # open_clip takes every interpolation that is not bilinear for bicubic
        bilinear = preprocess_cfg["interpolation"] == "bilinear"
        self._interpolation = "bilinear" if bilinear else "bicubic"
        # all but its last two: to float, and normalize
        self._steps = reference.transforms[:-2]

    @property
    def short_side(self) -> int:
        """Pixels that must be left of a JPEG's shorter side where it is decoded at reduced scale.

        At 3 times the encoder's size, which the antialiased resize then brings down, the vectors of
        real photographs keep a cosine of 0.999 and more; at 2 times some do not.
        """
        return KEPT_BY_REDUCTION * max(self.size)

    def __call__(self, image: Image) -> Pixels:
        """Images that are not RGB are made so: resizing would mix the indices of a palette."""
        import numpy as np
        import torch
        from torchvision.transforms.functional import center_crop

        image = image if image.mode == "RGB" else image.convert("RGB")
        if not self._native:
            for step in self._steps:
                image = step(image)
            return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
        resized = torch.nn.functional.interpolate(
            _tensor(image),
            size=self._resized(image.width, image.height),
            mode=self._interpolation,
            antialias=True,
        )
        pixels: Pixels = center_crop(resized[0, :3], list(self.size)).contiguous().numpy()
        return pixels

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Height and width before the crop, as torchvision's `Resize` has them."""
        if self._squash:
            return self.size
        side = self.size[0]
        if width <= height:
            return int(side * height / width), side
        return side, int(side * width / height)


def _tensor(image: Image) -> torch.Tensor:
    """The pixels of an RGB image, uint8 [1, 3 or 4, H, W], the fourth of no meaning."""
    import numpy as np
    import pyarrow as pa
    import torch
    from torch.utils.dlpack import from_dlpack

    try:
        flat = from_dlpack(pa.array(image).flatten())
    except ValueError:  # Pillow keeps large images in several pieces
        return torch.from_numpy(np.array(image))[None].permute(0, 3, 1, 2)
    # Pillow's own memory, in which RGB has 4 bytes a pixel
    return flat.view(1, image.height, image.width, 4).permute(0, 3, 1, 2)
