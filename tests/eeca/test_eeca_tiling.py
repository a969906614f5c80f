"""Cutting an image in four and halving it."""

import pytest
import torch

from eeca_ref.tiling import lr_from_hr, merge_tiles, split_tiles

torch.set_num_threads(1)


def numbered(batch: int = 2, channels: int = 3, height: int = 6, width: int = 4) -> torch.Tensor:
    """Every pixel of every image has a number of its own."""
    return torch.arange(batch * channels * height * width).view(batch, channels, height, width)


def test_merge_undoes_split() -> None:
    images_BCHW = numbered()
    assert torch.equal(merge_tiles(split_tiles(images_BCHW)), images_BCHW)


def test_tiles_are_the_quarters_row_major() -> None:
    images_BCHW = numbered()
    tiles_BTCHW = split_tiles(images_BCHW)
    assert tiles_BTCHW.shape == (2, 4, 3, 3, 2)
    assert torch.equal(tiles_BTCHW[:, 0], images_BCHW[:, :, :3, :2])
    assert torch.equal(tiles_BTCHW[:, 1], images_BCHW[:, :, :3, 2:])
    assert torch.equal(tiles_BTCHW[:, 2], images_BCHW[:, :, 3:, :2])
    assert torch.equal(tiles_BTCHW[:, 3], images_BCHW[:, :, 3:, 2:])


def test_no_tile_holds_pixels_of_another_image() -> None:
    images_BCHW = numbered()
    for image, tiles in zip(images_BCHW, split_tiles(images_BCHW), strict=True):
        assert set(tiles.flatten().tolist()) == set(image.flatten().tolist())


def test_half_size_is_the_mean_of_two_by_two() -> None:
    images_BCHW = torch.rand(2, 3, 8, 6, generator=torch.Generator().manual_seed(0))
    lr_BCHW = lr_from_hr(images_BCHW)
    assert lr_BCHW.shape == (2, 3, 4, 3)
    expected = images_BCHW.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))
    torch.testing.assert_close(lr_BCHW, expected)


@pytest.mark.parametrize("shape", [(1, 3, 5, 4), (1, 3, 4, 5), (3, 4, 4)])
def test_what_cannot_be_halved_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="even"):
        split_tiles(torch.zeros(shape))
    with pytest.raises(ValueError, match="even"):
        lr_from_hr(torch.zeros(shape))


def test_five_tiles_are_refused() -> None:
    with pytest.raises(ValueError, match="tiles are"):
        merge_tiles(torch.zeros(1, 5, 3, 2, 2))
