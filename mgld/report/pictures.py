"""Thumbnails: an image of the source, made small and put into the page as a data address."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from mgld.report.words import licence_name, web_address

if TYPE_CHECKING:
    from mgld.build.read import BuildView

QUALITY = 82


@dataclass(frozen=True)
class Picture:
    """A thumbnail and whose it is.

    `src` is a data address, empty where the image could not be read (`problem` says why). Links
    are None where the source gives none or the image is a drawing of a procedural world.
    """

    src: str
    width: int
    height: int
    problem: str
    author: str
    licence: str
    licence_link: str | None
    source_link: str | None


class Album:
    """Makes thumbnails of a build's images; remembers where they lie and who made them."""

    def __init__(self, view: BuildView, image_ids: set[str], *, procedural: bool) -> None:
        """Look up the places and credits of `image_ids` in two passes over the tables."""
        self._view = view
        self._procedural = procedural
        wanted = pa.array(sorted(image_ids), pa.string())
        place = ["image_id", "source", "offset", "size"]
        copies = view.table("embeddings", "images", [*place, "status"])
        selected = view.table("selection", "part", place)
        # What the build chose is shown from where the build read it.
        self._places = _first_copies(copies, wanted) | _rows_by_id(selected, wanted)
        self._credits = _rows_by_id(
            view.table("catalog", "images", ["image_id", "url", "author", "license"]), wanted
        )

    def picture(self, image_id: str, side: int) -> Picture:
        """Thumbnail of an image, at most `side` pixels on its longer side."""
        src, width, height, problem = "", side, side, ""
        try:
            src, width, height = self._thumbnail(image_id, side)
        except (OSError, ValueError) as error:
            # The source may have been moved since the build: the page says so and goes on.
            problem = str(error)
        credit = self._credits.get(image_id, {})
        author, terms = credit.get("author"), credit.get("license")
        return Picture(
            src=src,
            width=width,
            height=height,
            problem=problem,
            author=author or "author not stated",
            licence=licence_name(terms),
            licence_link=web_address(terms),
            source_link=None if self._procedural else web_address(credit.get("url")),
        )

    def _thumbnail(self, image_id: str, side: int) -> tuple[str, int, int]:
        from mgld.gldv2 import ImageError, decode_image

        place = self._places.get(image_id)
        if place is None:
            raise ValueError("the image is not in the build")
        data = self._view.image_bytes(place["source"], place["offset"], place["size"])
        try:
            image = decode_image(data).image
        except ImageError as error:
            raise ValueError(f"the image cannot be read: {error}") from error
        image.thumbnail((side, side))
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
        encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
        return f"data:image/jpeg;base64,{encoded}", image.width, image.height


def _rows_by_id(table: pa.Table, wanted: pa.Array) -> dict[str, dict[str, Any]]:
    """Rows of `table` whose image_id is wanted; ids are unique in `table`."""
    rows = table.filter(pc.is_in(table["image_id"], value_set=wanted)).to_pylist()
    return {row["image_id"]: row for row in rows}


def _first_copies(table: pa.Table, wanted: pa.Array) -> dict[str, dict[str, Any]]:
    """The rows of an embeddings table that stand for the wanted images.

    The build's own rule (`mgld.build.stages.image_index`): the first readable copy, else the first;
    tars go before files.
    """
    rows = table.filter(pc.is_in(table["image_id"], value_set=wanted)).to_pylist()
    rows.sort(key=lambda row: (row["status"] != "ok", not row["source"].endswith(".tar")))
    places: dict[str, dict[str, Any]] = {}
    for row in rows:
        places.setdefault(row["image_id"], row)
    return places
