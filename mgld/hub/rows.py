"""Joining what the stages say of a landmark into one row of the dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mgld.build.read import shard_paths
from mgld.vision.spec import public_encoder as public_encoder

if TYPE_CHECKING:
    import pyarrow as pa

    from mgld.build.read import BuildView


def join_rows(view: BuildView, landmark_ids: Sequence[int]) -> pa.Table:
    """Everything but the pixels of these landmarks, in this order.

    Columns: those of `features("record")` and `features("eval")` except `image`, and `source`,
    `offset`, `size` to read the image by. The tables are scanned, not loaded: memory grows with
    `landmark_ids` and not with the build. ValueError where a landmark lacks a good row.
    """
    import pyarrow as pa

    selection = _rows(
        view,
        "selection",
        "part",
        "landmark_id",
        landmark_ids,
        ["status", "image_id", "source", "offset", "size", "sha256"],
    )
    qa = _rows(
        view,
        "qa",
        "part",
        "landmark_id",
        landmark_ids,
        ["status", "conversation", "question_id", "annotator", "prompt_version"],
    )
    entities = _rows(
        view,
        "entities",
        "part",
        "landmark_id",
        landmark_ids,
        [
            "status",
            "entities",
            "hierarchical_label",
            "aliases",
            "place_hints",
            "annotator",
            "prompt_version",
        ],
    )
    scores = _rows(
        view,
        "scores",
        "part",
        "landmark_id",
        landmark_ids,
        ["status", "image_id", "sim", "rank", "rsr", "margin"],
    )
    landmarks = _rows(
        view,
        "catalog",
        "landmarks",
        "landmark_id",
        landmark_ids,
        [
            "name",
            "hierarchical_label",
            "supercategory",
            "natural_or_human_made",
            "image_count",
        ],
    )
    for stage, table in (
        ("selection", selection),
        ("qa", qa),
        ("entities", entities),
        ("scores", scores),
    ):
        _require_ok(stage, table)
    image_ids = selection["image_id"].to_pylist()
    if scores["image_id"].to_pylist() != image_ids:
        raise ValueError("scores are of other images than selection chose; run `mgld build` again")
    images = _rows(
        view,
        "catalog",
        "images",
        "image_id",
        image_ids,
        ["author", "license", "url", "title"],
    )
    question, answer = _question_and_answer(qa)
    facts = view.manifest.facts
    fingerprint = facts.encoder_fingerprint if facts else None
    return pa.table(
        {
            "id": selection["image_id"],
            "landmark_id": selection["landmark_id"],
            "landmark_name": landmarks["name"],
            "conversation": qa["conversation"],
            "question": question,
            "answer": answer,
            "entities": entities["entities"],
            "hierarchical_label": entities["hierarchical_label"],
            "hierarchical_label_gldv2": landmarks["hierarchical_label"],
            "supercategory": landmarks["supercategory"],
            "natural_or_human_made": landmarks["natural_or_human_made"],
            "landmark_images": landmarks["image_count"],
            "aliases": entities["aliases"],
            "place_hints": entities["place_hints"],
            "sim": scores["sim"],
            "rank": scores["rank"],
            "rsr": scores["rsr"],
            "margin": scores["margin"],
            "author": images["author"],
            "license": images["license"],
            "source_url": images["url"],
            "title": images["title"],
            "image_sha256": selection["sha256"],
            "encoder": pa.array(
                [public_encoder(view.config.encoder)] * len(image_ids), pa.string()
            ),
            "encoder_fingerprint": pa.array([fingerprint] * len(image_ids), pa.string()),
            "question_id": qa["question_id"],
            "annotator": qa["annotator"],
            "prompt_version": qa["prompt_version"],
            "entity_annotator": entities["annotator"],
            "entity_prompt_version": entities["prompt_version"],
            "source": selection["source"],
            "offset": selection["offset"],
            "size": selection["size"],
        }
    )


def _rows(
    view: BuildView, stage: str, name: str, key: str, wanted: Sequence[Any], columns: list[str]
) -> pa.Table:
    """Rows of a table whose `key` is in `wanted`, one each and in that order."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    dataset = ds.dataset(
        [str(path) for path in shard_paths(view.root, stage, name)],
        format="parquet",
        partitioning=None,
    )
    keys = pa.array(wanted, dataset.schema.field(key).type)
    table = dataset.to_table(columns=[key, *columns], filter=pc.field(key).isin(keys))
    rows = pc.index_in(keys, value_set=table[key].combine_chunks())
    if rows.null_count:
        lost = keys.filter(rows.is_null())
        raise ValueError(
            f"{stage}/{name} has no row for {key} {lost[0]} ({len(lost)} in all); the build is "
            "incomplete: run `mgld build` again"
        )
    return table.take(rows)


def _require_ok(stage: str, table: pa.Table) -> None:
    for landmark_id, status in zip(
        table["landmark_id"].to_pylist(), table["status"].to_pylist(), strict=True
    ):
        if status != "ok":
            raise ValueError(
                f"splits name landmark {landmark_id}, but its {stage} row has status {status!r}: "
                "only whole records belong in a split"
            )


def _question_and_answer(qa: pa.Table) -> tuple[pa.Array, pa.Array]:
    import pyarrow as pa

    turns = qa["conversation"].to_pylist()
    first = {
        role: [next(turn["content"] for turn in each if turn["role"] == role) for each in turns]
        for role in ("user", "assistant")
    }
    return pa.array(first["user"], pa.string()), pa.array(first["assistant"], pa.string())
