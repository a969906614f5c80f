"""The labelling page: one HTML file in which a person gives levels with four keys.

It needs nothing else, sends nothing anywhere and keeps what was done in the browser's local
storage. Answers and names reach it as JSON and are only ever shown as text; its policy lets no
other script run than its own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any, Final

from mgld.evaluate.calibration import load_sets
from mgld.evaluate.human_labels import COLUMNS
from mgld.evaluate.judges.base import Case
from mgld.evaluate.judges.shown import answers_sha256
from mgld.evaluate.records import LEVELS, Answer
from mgld.files import write_text_atomically
from mgld.keyed import order_key

ReadImage = Callable[[str], bytes]
"""A question's image file by its id; KeyError, OSError or ValueError says why there is none."""
IMAGE_SIDE: Final = 720
QUALITY: Final = 80
_MOST_TEXT: Final = 20_000
"""Characters of an answer on the page; nobody reads more."""


def builtin_cases() -> list[Case]:
    """The calibration set, to be labelled by others than its author; its levels are not shown."""
    return [each.case() for each in load_sets()]


def run_images(folder: Path) -> ReadImage | None:
    """How images of a run are read, from the dataset that it was asked about; None: it has none.

    ValueError where `run.yaml` is damaged.
    """
    from mgld.evaluate.answering import RUN_FILE, load_run
    from mgld.evaluate.questions import ImageReader

    if not (folder / RUN_FILE).is_file():
        return None
    dataset = load_run(folder).dataset
    return ImageReader(dataset.source, dataset.config, dataset.split, dataset.revision)


def choose_cases(cases: Sequence[Case], limit: int | None, *, seed: int = 0) -> list[Case]:
    """At most `limit` cases by a keyed draw, in a keyed order, so that like ones do not follow."""
    order = sorted(cases, key=lambda case: order_key(seed, "labelling", case.question.id))
    return order[:limit]


def write_labelling_page(
    cases: Sequence[Case], out_file: Path, *, title: str, read_image: ReadImage | None = None
) -> None:
    """Write the page on which `cases` are labelled, in their order.

    title: what is labelled, shown on the page. read_image: None where there are no images. An image
    that cannot be read is said to be missing, on the page. ValueError: there is no case.
    """
    if not cases:
        raise ValueError("there is nothing to label")
    items = [_item(case, read_image) for case in cases]
    # Without images: the same answers keep their labels on a page written again.
    key = sha256("".join(item["answers_sha256"] for item in items).encode()).hexdigest()[:16]
    data = {"title": title, "key": key, "levels": LEVELS, "columns": COLUMNS, "items": items}
    script = _template("labelling.js")
    page = Template(_template("labelling.html")).substitute(
        style=_template("labelling.css"),
        script=script,
        script_hash=base64.b64encode(sha256(script.encode()).digest()).decode(),
        data=_json(data),
    )
    write_text_atomically(out_file, page)


def _item(case: Case, read_image: ReadImage | None) -> dict[str, Any]:
    truth = case.question.truth
    image, problem = "", ""
    if read_image is not None:
        try:
            image = _thumbnail(read_image(case.question.id))
        except (KeyError, OSError, ValueError) as error:
            problem = f"no picture: {error}"
    return {
        "id": case.question.id,
        "question": case.question.text,
        "name": truth.name,
        "aliases": truth.aliases,
        "places": truth.place_hints,
        "label": truth.label or "",
        "reference": truth.answer,
        "answers": [_answer(answer) for answer in case.answers],
        "answers_sha256": answers_sha256(case.question, case.answers),
        "image": image,
        "problem": problem,
    }


def _answer(answer: Answer) -> dict[str, str]:
    """What is shown of a draw: its text, or why there is none."""
    if answer.status != "ok":
        said = {"refused": "refused to answer", "error": "failed"}[answer.status]
        return {"text": "", "none": f"{said}: {answer.reason}" if answer.reason else said}
    if not answer.text.strip():
        return {"text": "", "none": "empty answer"}
    cut = len(answer.text) > _MOST_TEXT
    return {"text": answer.text[:_MOST_TEXT] + (" [cut]" if cut else ""), "none": ""}


def _thumbnail(data: bytes) -> str:
    from mgld.gldv2 import decode_image

    image = decode_image(data).image
    image.thumbnail((IMAGE_SIDE, IMAGE_SIDE))
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _json(value: object) -> str:
    """JSON that no HTML parser can be led out of: ASCII, without <, > and &."""
    text = json.dumps(value)
    return "".join({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}.get(c, c) for c in text)


def _template(name: str) -> str:
    return (files("mgld.evaluate") / "templates" / name).read_text(encoding="utf-8")
