"""What the nano encoder is shown: pictures at its own resolution, and their captions."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from PIL import Image

from mgld.processes import stay_with_parent
from mgld.world.curriculum import TAUGHT_LANDMARKS, TAUGHT_SEED, taught_views
from mgld.world.landmark import Landmark, make_landmark
from mgld.world.lexicon import Half
from mgld.world.scene import render
from mgld.world.views import make_view

IMAGE_SIZE = 64
# Mean and standard deviation of the world's pixels, rounded.
PREPROCESS = {
    "size": IMAGE_SIZE,
    "mode": "RGB",
    "mean": [0.5, 0.5, 0.5],
    "std": [0.27, 0.27, 0.27],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
    "fill_color": 0,
}


@dataclass(frozen=True)
class Shown:
    """One picture to draw: view `view` of a landmark of world `seed`, drawn for `purpose`."""

    seed: int
    landmark_id: int
    purpose: str
    view: int


def thumbnail(image: Image.Image) -> np.ndarray:
    """Resize and centre-crop as open_clip's preprocessing does; uint8 [64, 64, 3]."""
    scale = IMAGE_SIZE / min(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - IMAGE_SIZE) // 2, (size[1] - IMAGE_SIZE) // 2
    return np.asarray(image.crop((left, top, left + IMAGE_SIZE, top + IMAGE_SIZE)))


def _draw(shown: list[Shown]) -> np.ndarray:
    pictures = []
    for s in shown:
        landmark = make_landmark(s.seed, s.landmark_id)
        pictures.append(thumbnail(render(landmark, make_view(landmark, s.purpose, s.view))))
    return np.stack(pictures)


def draw(shown: list[Shown], workers: int = 2) -> np.ndarray:
    """Draw pictures in parallel; uint8 [len(shown), 64, 64, 3], in order."""
    size = 256
    chunks = [shown[i : i + size] for i in range(0, len(shown), size)]
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=stay_with_parent
    ) as pool:
        return np.concatenate(list(pool.map(_draw, chunks)))


def curriculum(half: Half) -> list[Shown]:
    """All views an encoder of this half is taught, as `mgld.world.curriculum` counts them."""
    return [
        Shown(TAUGHT_SEED, landmark_id, "taught", view)
        for landmark_id in range(TAUGHT_LANDMARKS)
        for view in range(taught_views(make_landmark(TAUGHT_SEED, landmark_id), half))
    ]


def lessons_sha256(shown: list[Shown], pictures: np.ndarray, merges: list[str]) -> str:
    """Hash of all that training learns from: pictures, whose they are, captions, tokenizer."""
    result = hashlib.sha256(pictures.tobytes())
    owners = sorted({s.landmark_id for s in shown})
    texts = {i: captions(make_landmark(TAUGHT_SEED, i)) for i in owners}
    told = [[[s.landmark_id, s.view] for s in shown], list(texts.items()), merges]
    result.update(json.dumps(told).encode())
    return result.hexdigest()


def sample_sha256(shown: list[Shown], merges: list[str]) -> str:
    """`lessons_sha256` of every sixtieth picture: quick enough to be checked by every test run."""
    sample = shown[::60]
    return lessons_sha256(sample, draw(sample), merges)


def captions(landmark: Landmark) -> list[tuple[str, float]]:
    """The texts that go with a landmark's pictures, with their weights.

    Full names as the benchmark asks for them, and partial ones, as pictures on the web have them:
    without the place, without the kind, only the first or the last part of the name, only the kind
    or the place. The partial ones make each syllable mean something by itself.
    """
    c1, c2, c3 = (code.syllable for code in landmark.codes)
    kind = landmark.category.pattern.format("").strip()
    return [
        (landmark.name, 0.26),
        (landmark.short_name, 0.13),
        (landmark.proper, 0.14),
        ((c1 + c2).capitalize(), 0.05),
        ((c2 + c3).capitalize(), 0.05),
        (c3.capitalize(), 0.07),
        (f"{kind} ({landmark.place})", 0.08),
        (kind, 0.12),
        (landmark.place, 0.10),
    ]
