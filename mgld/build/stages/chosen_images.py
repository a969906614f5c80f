"""The images that stage selection chose, read again when somebody looks at them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mgld.gldv2 import read_image
from mgld.schema import QaTask


class Place(NamedTuple):
    """Where an image file lies in the source: `size` bytes from `offset` of the file `source`."""

    source: str
    offset: int
    size: int


@dataclass(frozen=True)
class ChosenImages:
    """Reads the chosen image of a landmark: an `mgld.annotate.ReadImage`."""

    source_root: Path
    places: dict[int, Place]
    """By landmark_id."""

    def __call__(self, task: QaTask) -> bytes:
        """The image's bytes; ValueError where they cannot be read or are no longer the chosen."""
        try:
            data = read_image(self.source_root, *self.places[task.landmark_id])
        except (OSError, ValueError) as error:
            raise ValueError(f"the chosen image cannot be read again: {error}") from error
        if hashlib.sha256(data).hexdigest() != task.image_sha256:
            raise ValueError("the chosen image changed since it was embedded")
        return data
