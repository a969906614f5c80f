"""A tiny source with everything that can be wrong with images, and a tiny random encoder."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

LANDMARKS = 40
NO_IMAGE = 38  # in the categories, but with no image in train.csv
UNREADABLE = 39  # its two images are damaged, or in no archive
IMAGES_EACH = 3
PREPROCESS = {"size": [32, 32], "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.25]}
ENCODER = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 32, "layers": 1, "head_width": 16},
    "text_cfg": {"context_length": 40, "vocab_size": 514, "width": 32, "heads": 2, "layers": 1},
}


def image_id(landmark: int, view: int) -> str:
    """Spread over first digits, so that folders have several."""
    return f"{(landmark * 7 + view) % 16:x}{landmark:07x}{view:08x}"


def jpeg(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((40, 30)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def name_of(landmark: int) -> str:
    """Landmarks 4 and 5 have the same name."""
    return f"Abbey_of_V%C3%A4rn_{4 if landmark == 5 else landmark}"


def members() -> list[tuple[str, bytes]]:
    """(member path, bytes) of all good images of the landmarks that have any."""
    found = []
    for landmark in range(LANDMARKS - 2):
        for view in range(IMAGES_EACH):
            name = image_id(landmark, view)
            found.append((f"{'/'.join(name[:3])}/{name}.jpg", jpeg(landmark * 100 + view)))
    return found


def write_tar(path: Path, entries: list[tuple[str, bytes]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def write_source(root: Path, *, seed_shift: int = 0) -> Path:
    """Four tars and a folder.

    Of 38 x 3 + 2 images: one is missing from every archive (landmark 0, view 2), one is damaged
    in the first archive it is in but good in a later one (landmark 1, view 0), one is damaged
    (landmark 39), one is in no archive (39), one is in two archives (landmark 2, view 0), one is
    in the archives but not in the catalog.
    """
    rows = [
        (image_id(landmark, view), landmark)
        for landmark in range(LANDMARKS - 2)
        for view in range(IMAGES_EACH)
    ]
    rows += [(image_id(UNREADABLE, view), UNREADABLE) for view in range(2)]
    metadata = root / "metadata"
    metadata.mkdir(parents=True)
    lines = ["id,url,landmark_id", *(f"{i},https://example.org/{i}.jpg,{n}" for i, n in rows)]
    lines += ["not-an-id,https://example.org/x.jpg,1"]
    (metadata / "train.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    base = "http://commons.wikimedia.org/wiki/Category:"
    lines = ["landmark_id,category", *(f"{n},{base}{name_of(n)}" for n in range(LANDMARKS))]
    (metadata / "train_label_to_category.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines = ["id,url,author,license,title"]
    lines += [f"{i},https://example.org/{i}.jpg,Zoë,CC BY-SA 4.0,File {i}" for i, _ in rows]
    (metadata / "train_attribution.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    entries = dict(members())
    path_of = {path.rsplit("/", 1)[1].removesuffix(".jpg"): path for path in entries}
    del entries[path_of[image_id(0, 2)]]
    all_entries = sorted(entries.items())
    in_folder = [entry for entry in all_entries if entry[0].startswith("f/")]
    in_tars = [entry for entry in all_entries if not entry[0].startswith("f/")]
    tars = [in_tars[number::4] for number in range(4)]
    damaged = path_of[image_id(1, 0)]
    tars[0] = [(damaged, b"\xff\xd8\xff not a JPEG"), *tars[0]]
    tars[3] = [entry for entry in tars[3] if entry[0] != damaged]
    for number in (1, 2):
        tars[number] = [entry for entry in tars[number] if entry[0] != damaged]
    tars[0] = [tars[0][0], *(entry for entry in tars[0][1:] if entry[0] != damaged)]
    tars[1].append((damaged, entries[damaged]))
    twice = path_of[image_id(2, 0)]
    for number in (2, 3):
        if twice not in dict(tars[number]):
            tars[number].append((twice, jpeg(987)))
    bad = image_id(UNREADABLE, 0)
    tars[2].append((f"{'/'.join(bad[:3])}/{bad}.jpg", b"GIF89a cut"))
    tars[3].append(("0/0/0/000ffffffffffff0.jpg", jpeg(5)))
    tars[3].append(("README.txt", b"hello"))
    for number, tar in enumerate(tars):
        write_tar(root / "train" / f"images_{number:03d}.tar", tar)
    for path, data in in_folder:
        (root / "train" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "train" / path).write_bytes(data)
    return root


def write_encoder(folder: Path, seed: int = 0) -> Path:
    """A random checkpoint folder, a few kilobytes."""
    import open_clip
    import torch

    from mgld.vision import save_checkpoint

    torch.manual_seed(seed)
    save_checkpoint(folder, open_clip.CLIP(**ENCODER), ENCODER, PREPROCESS, [])
    return folder
