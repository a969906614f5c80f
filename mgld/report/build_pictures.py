"""The image selection of some landmarks of a build, with its pictures, as a figure."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from mgld.figures import BuildData, Drawing, LackingError, ShownCandidate, TopThree, draw_top_three
from mgld.report.examples import selections
from mgld.report.pictures import Album, Picture

if TYPE_CHECKING:
    from mgld.report.examples import Candidate

SIDE: Final = 256


def draw_build_top_three(data: BuildData, width: float) -> Drawing:
    """Candidates of some landmarks, drawn by a keyed hash from those that have three.

    A picture that cannot be read any more is an empty frame. LackingError where no landmark has
    any; FileNotFoundError where a stage has not run.
    """
    from mgld.report.page import is_procedural

    view = data.view
    table = view.table("catalog", "landmarks", ["landmark_id", "name"])
    names = dict(zip(*table.to_pydict().values(), strict=True))
    chosen = selections(view, names)
    if not chosen:
        raise LackingError("a landmark with a readable image")
    procedural = is_procedural(view)
    ids = {each.image_id for landmark in chosen for each in landmark.candidates}
    album = Album(view, ids, procedural=procedural)

    def shown(each: Candidate) -> ShownCandidate:
        picture = album.picture(each.image_id, SIDE)
        credit = "" if procedural else f"{picture.author}, {picture.licence}"
        return ShownCandidate(
            each.image_id, each.sim, each.chance, each.chosen, _pixels_of(picture), credit
        )

    return draw_top_three(
        [
            TopThree(landmark.name, landmark.images, [shown(each) for each in landmark.candidates])
            for landmark in chosen
        ],
        width=width,
    )


def _pixels_of(picture: Picture) -> npt.NDArray[np.uint8] | None:
    return jpeg_pixels(picture.src.partition(",")[2]) if picture.src else None


def jpeg_pixels(text: str) -> npt.NDArray[np.uint8]:
    """Base64 of a JPEG that is our own as uint8 [height, width, 3]."""
    from PIL import Image

    with Image.open(BytesIO(base64.b64decode(text))) as image:
        return np.asarray(image.convert("RGB"))
