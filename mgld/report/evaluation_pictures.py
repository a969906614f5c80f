"""Thumbnails of a run's questions, out of its dataset, each with whose it is."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mgld.report.words import licence_name, web_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mgld.evaluate.questions import DatasetIdentity
    from mgld.evaluate.records import Question

SIDE: Final = 256
QUALITY: Final = 72
MAX_CHARACTERS: Final = 32_000_000
"""Of all pictures of a page; what comes after has none, and the page says so."""


@dataclass(frozen=True)
class Pictures:
    """Base64 of JPEG files by the number of the case; credits by question id.

    problems: why a picture is not there, with counts. left_out: beyond MAX_CHARACTERS. drawn: by a
    program, so that nobody is credited.
    """

    jpegs: dict[int, str] = field(default_factory=dict)
    credits: dict[str, list[Any]] = field(default_factory=dict)
    problems: dict[str, int] = field(default_factory=dict)
    left_out: int = 0
    drawn: bool = False


def read_pictures(
    questions: Sequence[Question], dataset: DatasetIdentity, *, limit: int | None = None
) -> Pictures:
    """Thumbnails of the questions in their order; a picture that cannot be had is a problem.

    limit: characters of them all, after which the others are left out; None: MAX_CHARACTERS.

    One that is not the file that was asked about (`image_sha256`) is not shown.
    """
    from mgld.evaluate.questions import ImageReader

    where = (dataset.source, dataset.config, dataset.split, dataset.revision)
    found = Pictures()
    size = 0
    left_out = 0
    read_image = ImageReader(*where)
    for number, question in enumerate(questions):
        if size > (MAX_CHARACTERS if limit is None else limit):
            left_out += 1
            continue
        try:
            original = read_image(question.id)
            if hashlib.sha256(original).hexdigest() != question.image_sha256:
                raise ValueError("it is not the picture that was asked about")
            text = thumbnail(original)
        except (OSError, ValueError, KeyError) as error:
            why = str(error) if len(str(error)) < 120 else type(error).__name__
            found.problems[why] = found.problems.get(why, 0) + 1
            if found.problems[why] > 20 and not found.jpegs:
                break  # the dataset is not there: no need to ask 2,500 times
            continue
        found.jpegs[number] = text
        size += len(text)
    drawn = _is_procedural(dataset.source)
    if found.jpegs and not drawn:
        shown = {questions[number].id for number in found.jpegs}
        found.credits.update(_credits(where, shown))
    return Pictures(found.jpegs, found.credits, found.problems, left_out, drawn)


def thumbnail(original: bytes) -> str:
    """Base64 of a JPEG of at most SIDE pixels. ValueError where `original` is no image."""
    from mgld.gldv2 import ImageError, decode_image

    try:
        image = decode_image(original).image
    except ImageError as error:
        raise ValueError(f"the picture cannot be read: {error}") from error
    image.thumbnail((SIDE, SIDE))
    buffer = BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _is_procedural(source: str) -> bool:
    """Whether the dataset is that of a build of a procedural world."""
    from mgld.build.read import BuildView
    from mgld.report.page import is_procedural

    for folder in (Path(source), Path(source).parent):
        if (folder / "config.yaml").is_file() and (folder / "manifest.json").is_file():
            return is_procedural(BuildView(folder))
    return False


def _credits(where: tuple[str, str, str, str | None], shown: set[str]) -> dict[str, list[Any]]:
    """[author, licence, its address, the picture's address] by question id, None where unknown."""
    import mgld

    source, config, split, revision = where
    table = mgld.load(source, config, split=split, revision=revision)
    columns = ["id", "author", "license", "source_url"]
    if not set(columns) <= set(table.column_names):
        return {}
    found = {}
    for row in table.select_columns(columns):
        if row["id"] in shown and any(row[name] for name in columns[1:]):
            found[row["id"]] = [
                row["author"],
                licence_name(row["license"]),
                web_address(row["license"]),
                web_address(row["source_url"]),
            ]
    return found
