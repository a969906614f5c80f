"""What a recipe's data holds: all rows counted, the first ones tokenized, some images decoded."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from eeca_ref.data.images import ImageSettings, load_pixels
from eeca_ref.data.samples import Sample, Skipped, Source
from eeca_ref.data.store_write import TokenSettings, make_store
from mgld.gldv2 import ImageError


@dataclass
class Survey:
    """All rows of a source, counted. Entities and labels are those of samples with an image."""

    rows: int = 0
    samples: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    why: dict[str, str] = field(default_factory=dict)
    """Of each status, the first row's id and reason."""
    with_image: int = 0
    there: int = 0
    missing_images: list[str] = field(default_factory=list)
    """The first few; `missing` counts them all."""
    missing: int = 0
    entities: Counter[int] = field(default_factory=Counter)
    labels: Counter[str | None] = field(default_factory=Counter)
    first: list[Sample] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    """Some of those that are there, evenly among all rows."""
    every: int = 1

    @property
    def usable(self) -> int:
        """Samples whose image is there, or that need none."""
        return self.samples - self.missing

    def note_image(self, name: str, here: bool, *, limit: int) -> None:
        """Count an image that is there or not, and keep every `every`th, at most `limit`."""
        if not here:
            self.missing += 1
            self.missing_images += [name] if self.missing <= 3 else []
            return
        if self.there % self.every == 0:
            self.images.append(name)
        self.there += 1
        if len(self.images) >= limit:  # half of them, twice as far apart
            self.images, self.every = self.images[::2], 2 * self.every


def survey(source: Source, *, keep: int, images: int) -> Survey:
    """Read all rows once, keeping the first `keep` samples and at least `images` images' names.

    Fewer images where there are fewer.
    """
    found = Survey()
    with ThreadPoolExecutor(16) as pool:
        for rows in _slices(source.rows()):
            samples = [row for row in rows if isinstance(row, Sample)]
            found.rows += len(rows)
            found.samples += len(samples)
            found.first += samples[: keep - len(found.first)]
            for row in rows:
                if isinstance(row, Skipped):
                    found.skipped[row.status] += 1
                    found.why.setdefault(row.status, f"{row.id}: {row.reason}")
            shown = [sample for sample in samples if sample.image is not None]
            found.with_image += len(shown)
            found.entities.update(len(sample.entities) for sample in shown)
            found.labels.update(sample.label for sample in shown)
            names = [str(sample.image) for sample in shown]
            for name, here in zip(names, pool.map(source.has_image, names), strict=True):
                found.note_image(name, here, limit=2 * images)
    return found


def tokenized(
    samples: Sequence[Sample], tokenizer: Any, settings: TokenSettings
) -> tuple[dict[str, int], list[tuple[int, str, str, str]]]:
    """`TokenStore.counts` of these samples, made as in training, and what was skipped of them.

    ValueError: `make_store`'s.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(folder, _Listed(samples), tokenizer, settings)
        counts = {**store.counts(), "longest": int(store.lengths.max())}
        return counts, store.skipped(3)


def unreadable_images(source: Source, images: Sequence[str], settings: ImageSettings) -> list[str]:
    """Which of the images cannot be decoded, and why."""
    wrong = []
    for image in images:
        try:
            load_pixels(source.read_image(image), settings)
        except (ImageError, OSError) as error:
            wrong.append(f"{image}: {error}")
    return wrong


class _Listed:
    """Samples as a source of texts."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples

    def fingerprint(self) -> str:
        return "the first samples"

    def rows(self, start: int = 0) -> Iterator[Sample | Skipped]:
        yield from self._samples[start:]

    def has_image(self, image: str) -> bool:
        return True

    def read_image(self, image: str) -> bytes:
        raise FileNotFoundError(image)


def _slices(rows: Iterator[Sample | Skipped]) -> Iterator[list[Sample | Skipped]]:
    while some := list(islice(rows, 1000)):
        yield some
