"""The two views of an image: its quarters at full resolution, and the whole at half of it."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def lr_from_hr(images_BCHW: Tensor) -> Tensor:
    """The low-resolution image I^L of I^H: half the height and width, by bilinear interpolation.

    Without antialiasing and with `align_corners=False`, as the paper's "bilinear interpolation" is
    usually run; at exactly half the size each pixel is then the mean of its 2 x 2.

    Args:
        images_BCHW: float [B, C, H, W], H and W even.

    Returns:
        float [B, C, H/2, W/2], same dtype.
    """
    height, width = _halves(images_BCHW)
    return F.interpolate(
        images_BCHW, size=(height, width), mode="bilinear", align_corners=False, antialias=False
    )


def split_tiles(images_BCHW: Tensor) -> Tensor:
    """The four sub-images of I^H.

    Args:
        images_BCHW: [B, C, H, W] of any dtype, H and W even.

    Returns:
        [B, 4, C, H/2, W/2], same dtype, row-major: top left, top right, bottom left, bottom right.

    Raises:
        ValueError: other shapes, odd H or W.
    """
    height, width = _halves(images_BCHW)
    batch, channels = images_BCHW.shape[:2]
    # the row and the column of a tile are axes of their own first: a plain view would mix tiles
    grid = images_BCHW.reshape(batch, channels, 2, height, 2, width)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(batch, 4, channels, height, width)


def merge_tiles(tiles_BTCHW: Tensor) -> Tensor:
    """The image that `split_tiles` cut: [B, 4, C, H, W] -> [B, C, 2H, 2W].

    Raises:
        ValueError: if there are not four tiles.
    """
    if tiles_BTCHW.ndim != 5 or tiles_BTCHW.shape[1] != 4:
        raise ValueError(f"tiles are [B, 4, C, H, W], got {list(tiles_BTCHW.shape)}")
    batch, _, channels, height, width = tiles_BTCHW.shape
    grid = tiles_BTCHW.reshape(batch, 2, 2, channels, height, width)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(batch, channels, 2 * height, 2 * width)


def _halves(images_BCHW: Tensor) -> tuple[int, int]:
    if images_BCHW.ndim != 4 or images_BCHW.shape[2] % 2 or images_BCHW.shape[3] % 2:
        raise ValueError(
            f"images are [B, C, H, W] with even H and W, got {list(images_BCHW.shape)}"
        )
    return images_BCHW.shape[2] // 2, images_BCHW.shape[3] // 2
