"""A source of samples given in a list, and tokens that are quick to make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO

import numpy as np
from PIL import Image

from eeca_ref.data.samples import Sample, Skipped, Turn, place_image

WORDS = ["the", "Eiffel", "Tower", "in", "Paris", "a", "lake", "near", "church", "blue", "walls"]


def png(seed: int, width: int = 12, height: int = 9) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def sample(number: int, *, image: bool = True, words: int = 5) -> Sample:
    """A sample whose answer depends on its number."""
    rng = np.random.default_rng(number)
    answer = " ".join(rng.choice(WORDS, words))
    turns = (Turn("user", f"What is number {number}?"), Turn("assistant", answer + "."))
    return Sample(
        f"id{number}",
        place_image(turns, has_image=image),
        str(number) if image else None,
        ("blue walls", "lime roof", "lake")[: number % 4] if image else (),
        (None, "church", "lake")[number % 3] if image else None,
    )


class ListedSource:
    """`items` are the rows; `broken`, `missing`: numbers of images that cannot be read."""

    def __init__(
        self,
        items: Sequence[Sample | Skipped],
        *,
        broken: frozenset[int] = frozenset(),
        missing: frozenset[int] = frozenset(),
        name: str = "listed",
    ) -> None:
        self.items = list(items)
        self.broken = broken
        self.missing = missing
        self.name = name
        self.started: list[int] = []

    def fingerprint(self) -> str:
        return self.name

    def rows(self, start: int = 0) -> Iterator[Sample | Skipped]:
        self.started.append(start)
        yield from self.items[start:]

    def has_image(self, image: str) -> bool:
        return int(image) not in self.missing

    def read_image(self, image: str) -> bytes:
        number = int(image)
        if number in self.missing:
            raise FileNotFoundError(f"no file {image}")
        data = png(number, 8 + number % 5, 8 + number % 3)
        return data[: len(data) // 2] if number in self.broken else data
