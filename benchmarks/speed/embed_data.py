"""What the sides of `benchmarks.speed.embed` are given: archives of photographs, and a model."""

from __future__ import annotations

import io
import tarfile
from itertools import islice
from pathlib import Path
from typing import Any

PHOTOGRAPHS = Path(__file__).parents[2].parent / "shared" / "data" / "gldv2-wa"
SIZE = (800, 600)
"""Of GLDv2's usual photograph."""

PER_SHEET = 12


def photographs(count: int, folder: Path) -> tuple[list[Any], str]:
    """`count` PIL images, and what they are: real photographs, or views of a drawn world."""
    from mgld.gldv2 import decode_image, find_archives, iter_images
    from mgld.world import write_world

    root, what = PHOTOGRAPHS, "photographs of GLDv2 (224 x 224)"
    if not root.is_dir():
        root, what = folder / "world", "views of a drawn world"
        write_world(root, landmarks=max(1, count // 4), seed=0, workers=1)
    entries = (e for shard in find_archives(root) for e in iter_images(root, shard.id))
    data = (entry.data for entry in entries if entry.data is not None)
    return [decode_image(each).image for each in islice(data, count)], what


def write_source(root: Path, images: int, tars: int) -> str:
    """A GLDv2 source of `images` JPEGs of SIZE in `tars` archives; says what they are.

    The photographs at hand are small: each image is a sheet of them, side by side.
    """
    import numpy as np
    from PIL import Image

    tiles, what = photographs(min(images * 2, 600), root.parent)
    rng = np.random.default_rng(0)
    (root / "metadata").mkdir(parents=True)
    (root / "train").mkdir()
    lines = ["id,url,landmark_id"]
    for tar in range(tars):
        with tarfile.open(root / "train" / f"images_{tar:03d}.tar", "w") as archive:
            for number in range(tar, images, tars):
                sheet = Image.new("RGB", SIZE)
                for place in range(PER_SHEET):
                    tile = tiles[int(rng.integers(len(tiles)))]
                    sheet.paste(tile, (place % 4 * 224, place // 4 * 224))
                data = io.BytesIO()
                sheet.save(data, "JPEG", quality=85)
                name = f"{number:016x}"
                info = tarfile.TarInfo(f"{'/'.join(name[:3])}/{name}.jpg")
                info.size = data.tell()
                data.seek(0)
                archive.addfile(info, data)
                lines.append(f"{name},https://example.org/{name}.jpg,0")
    (root / "metadata" / "train.csv").write_text("\n".join([*lines, ""]))
    category = "http://commons.wikimedia.org/wiki/Category:Abbey"
    (root / "metadata" / "train_label_to_category.csv").write_text(
        f"landmark_id,category\n0,{category}\n"
    )
    return f"JPEGs of {SIZE[0]} x {SIZE[1]}, sheets of {what}"


def random_weights(name: str, folder: Path) -> str:
    """A spec of open_clip's model `name` with random weights in a file: speed does not depend."""
    import open_clip
    import torch

    path = folder / f"{name}.pt"
    torch.manual_seed(0)
    torch.save(open_clip.create_model(name, load_weights=False).state_dict(), path)
    return f"{name}:{path}"
