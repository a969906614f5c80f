"""The columns of the published dataset (docs/definitions.md, "Records"), as `datasets` features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datasets import Features

Kind = Literal["record", "eval", "names"]


def features(kind: Kind) -> Features:
    """Features of one kind of row.

    record: configs `full` and the subsets. eval: config `eval`, where the conversation is split
    into `question` and `answer` (the ground truth). names: config `names`.
    """
    from datasets import Features, Image, List, Value

    text, number, real = Value("string"), Value("int64"), Value("float64")
    if kind == "names":
        return Features({"name": text, "landmark_ids": List(number)})
    what = (
        {"conversation": List({"role": text, "content": text})}
        if kind == "record"
        else {"question": text, "answer": text}
    )
    return Features(
        {
            "id": text,
            "image": Image(),
            "landmark_id": number,
            "landmark_name": text,
            **what,
            "entities": List(text),
            "hierarchical_label": text,
            "hierarchical_label_gldv2": text,
            "supercategory": text,
            "natural_or_human_made": text,
            "landmark_images": number,
            "aliases": List(text),
            "place_hints": List(text),
            "sim": real,
            "rank": number,
            "rsr": real,
            "margin": real,
            "author": text,
            "license": text,
            "source_url": text,
            "title": text,
            # Provenance.
            "image_sha256": text,
            "encoder": text,
            "encoder_fingerprint": text,
            "question_id": text,
            "annotator": text,
            "prompt_version": text,
            "entity_annotator": text,
            "entity_prompt_version": text,
        }
    )
