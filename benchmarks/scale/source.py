"""GLDv2's four tables at any size, with its long tail and with what is odd in them; no pixels.

Counts and shapes are those of the published train set: 4,132,914 images of 203,094 landmarks, a
fifth of which have two images or fewer and the largest some thousands. Every value depends on
(seed, purpose, key) alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from mgld.gldv2.labels import LABELS
from mgld.keyed import generator

IMAGES = 4_132_914
LANDMARKS = 203_094
TARS = 500
KINDS = ("Abbey", "Bridge", "Castle", "Lake", "Museum", "Old town", "Park", "Saint", "Tower", "Île")
SYLLABLES = (
    "ba",
    "dor",
    "é",
    "fen",
    "gar",
    "hol",
    "ki",
    "lun",
    "mar",
    "ö",
    "pra",
    "ster",
    "ú",
    "wy",
)
LICENSES = (
    "https://creativecommons.org/licenses/by-sa/4.0/",
    "https://creativecommons.org/licenses/by-sa/3.0/",
    "https://creativecommons.org/licenses/by/2.0/",
)
BLOCK = 1 << 16


def counts(images: int, landmarks: int) -> NDArray[np.int64]:
    """Images per landmark, int64 [landmarks] that sum to `images`, each at least 1: log-normal."""
    draws = np.exp(generator(0, "rehearsal/tail", landmarks).normal(0.0, 1.35, landmarks))
    shares = draws / draws.sum() * (images - landmarks)
    found = 1 + shares.astype(np.int64)
    rest = images - int(found.sum())
    found[np.argsort(found - shares, kind="stable")[:rest]] += 1  # those cut most by rounding down
    return found


def owners(images: int, landmarks: int) -> NDArray[np.int64]:
    """The landmark of each image, int64 [images], in the order of the tars: mixed, as published."""
    mixed = np.repeat(np.arange(landmarks), counts(images, landmarks))
    generator(0, "rehearsal/order", images).shuffle(mixed)
    return mixed


def image_ids(start: int, stop: int) -> list[str]:
    """Ids of images by position: 16 hex digits in no order, each once (an odd factor mod 2^64)."""
    numbers = np.arange(start + 1, stop + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return [f"{number:016x}" for number in numbers.tolist()]


def name_of(landmark: int) -> str:
    """A name; one in fifty shares that of its neighbour, as namesakes do in GLDv2."""
    number = landmark - 1 if landmark % 50 == 1 else landmark
    digits = [(number // 14**power) % 14 for power in range(5)]
    word = "".join(SYLLABLES[digit] for digit in digits).capitalize()
    return f"{KINDS[number % len(KINDS)]} of {word}"


def write_tables(root: Path, images: int, landmarks: int) -> None:
    """Write `root/metadata` as published, quotes, line breaks and damaged rows included."""
    folder = root / "metadata"
    folder.mkdir(parents=True, exist_ok=True)
    base = "http://commons.wikimedia.org/wiki/Category:"
    urls = [base + quote(name_of(row).replace(" ", "_")) for row in range(landmarks)]
    with (folder / "train_label_to_category.csv").open(
        "w", encoding="utf-8-sig", newline=""
    ) as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["landmark_id", "category"])
        writer.writerows(enumerate(urls))
    header = ["landmark_id", "category", "supercategory", "hierarchical_label"]
    with (folder / "train_label_to_hierarchical.csv").open(
        "w", encoding="utf-8", newline=""
    ) as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*header, "natural_or_human_made"])
        writer.writerows(
            [
                row,
                url,
                LABELS[row % 7],
                LABELS[row % len(LABELS)],
                ("human-made", "natural")[row % 2],
            ]
            for row, url in enumerate(urls)
        )
    names = [name_of(row) for row in range(landmarks)]
    with (
        (folder / "train.csv").open("w", encoding="utf-8", newline="") as train,
        (folder / "train_attribution.csv").open("w", encoding="utf-8", newline="") as credit,
    ):
        images_csv = csv.writer(train, lineterminator="\n")
        credits_csv = csv.writer(credit, lineterminator="\n")
        images_csv.writerow(["id", "url", "landmark_id"])
        credits_csv.writerow(["id", "url", "author", "license", "title"])
        for rows in _image_rows(names, images, landmarks):
            images_csv.writerows([image_id, url, owner] for image_id, url, owner, *_ in rows)
            credits_csv.writerows(
                [image_id, url, author, license, title]
                for image_id, url, _, author, license, title in rows
            )
        train.write("not-an-id,https://example.org/x.jpg,1\n")  # a row that is turned away


def _image_rows(
    names: list[str], images: int, landmarks: int
) -> Iterator[list[tuple[object, ...]]]:
    of = owners(images, landmarks)
    for start in range(0, images, BLOCK):
        ids = image_ids(start, min(start + BLOCK, images))
        rows: list[tuple[object, ...]] = []
        for position, (image_id, owner) in enumerate(zip(ids, of[start:].tolist(), strict=False)):
            number = start + position
            title = f"{names[owner]}, view {number}"
            if number % 20_000 == 7:
                title += ',\n "seen from the north"'  # titles may hold line breaks and quotes
            url = f"https://upload.wikimedia.org/wikipedia/commons/{image_id[0]}/{image_id[:2]}/"
            url += f"{quote(names[owner].replace(' ', '_'))}_{number}.jpg"
            author = f"Photographer {image_id[-4:]}"
            rows.append((image_id, url, owner, author, LICENSES[number % 3], title))
        yield rows


def tar_bounds(images: int) -> list[tuple[int, int]]:
    """Positions of the images of each tar; as many tars as published, fewer of a small source."""
    tars = min(TARS, -(-images // 1000))
    edges = np.linspace(0, images, tars + 1).astype(np.int64).tolist()
    return list(pairwise(edges))


@lru_cache(maxsize=1)
def _pixel() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (1, 1), 128).save(buffer, "JPEG", optimize=True)
    return buffer.getvalue()


def stand_in(image_id: str) -> bytes:
    """What stands for an image's bytes: a JPEG of one pixel, and the id behind its end."""
    return _pixel() + image_id.encode()


def write_tars(root: Path, images: int) -> None:
    """Write `root/train/images_NNN.tar`: no archives, only what stands for each image, in a row."""
    (root / "train").mkdir(exist_ok=True)
    for number, (start, stop) in enumerate(tar_bounds(images)):
        content = b"".join(map(stand_in, image_ids(start, stop)))
        (root / "train" / f"images_{number:03d}.tar").write_bytes(content)
