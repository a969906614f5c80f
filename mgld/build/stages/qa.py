"""Stage qa (paper, section 3.1, stage 2): a question about the chosen image, and its answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from mgld.build.annotating import config_annotator, model_annotator
from mgld.build.plan import Context, ShardSpec, Step
from mgld.build.runner import Report
from mgld.build.shards import Made, ShardTask, count, write_parquet
from mgld.build.source import GROUND_TRUTH
from mgld.build.stages.catalog import chunk_ids
from mgld.build.stages.chosen_images import ChosenImages, Place
from mgld.build.stages.landmark_rows import annotator_settings, chunk_landmarks, world_facts
from mgld.llm import Request
from mgld.schema import QaRecord, QaTask

SCHEMA = pa.schema(
    [
        ("landmark_id", pa.int64()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("question_id", pa.string()),
        (
            "conversation",
            pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
        ),
        ("repaired", pa.bool_()),
        ("annotator", pa.string()),
        ("prompt_version", pa.string()),
    ]
)

PLACE = ["landmark_id", "status", "reason", "source", "offset", "size", "sha256"]


def shards(context: Context) -> list[ShardSpec]:
    """One per chunk of landmarks."""
    return [
        ShardSpec(
            id,
            reads=("catalog/landmarks.", f"selection/{id}."),
            sources=(GROUND_TRUTH,),
            argument=number * context.config.chunk,
        )
        for number, id in enumerate(chunk_ids(context))
    ]


def qa_tasks(task: ShardTask) -> tuple[dict[int, QaTask], dict[int, str], ChosenImages]:
    """The chunk's landmarks that can be asked about, why the others cannot, and their images.

    No image is read here: 1,024 photographs would be a gigabyte.
    """
    landmarks = chunk_landmarks(task)
    facts = world_facts(task.source_root, task.version(GROUND_TRUTH))
    tasks: dict[int, QaTask] = {}
    others: dict[int, str] = {}
    places: dict[int, Place] = {}
    for row in task.table("selection", task.shard, PLACE).to_pylist():
        landmark_id = row["landmark_id"]
        if row["status"] != "ok":
            others[landmark_id] = f"{row['status']}: {row['reason']}"
            continue
        places[landmark_id] = Place(row["source"], row["offset"], row["size"])
        tasks[landmark_id] = QaTask(
            image_sha256=row["sha256"], facts=facts.get(landmark_id), **landmarks[landmark_id]
        )
    return tasks, others, ChosenImages(task.source_root, places)


def requests(task: ShardTask) -> Iterator[Request]:
    """What a model is asked for the chunk."""
    from mgld.annotate.model import task_image

    annotator = model_annotator(task.config, task.root)
    tasks, _, images = qa_tasks(task)
    return (annotator.qa_request(each, task_image(each, images)) for each in tasks.values())


def make(task: ShardTask, report: Report) -> Made:
    """Write one QaRecord per landmark of the chunk, by landmark_id; without an image, `skipped`."""
    annotator = config_annotator(task.config, task.root)
    tasks, others, images = qa_tasks(task)
    records = annotator.answer(list(tasks.values()), images)
    records += [
        QaRecord(
            landmark_id=landmark_id,
            status="skipped",
            reason=reason,
            annotator=annotator.id,
            prompt_version=annotator.qa_version,
        )
        for landmark_id, reason in others.items()
    ]
    return write_records(task, records, len(tasks) + len(others), SCHEMA)


def write_records(task: ShardTask, records: list[Any], expected: int, schema: pa.Schema) -> Made:
    """Write records as rows by landmark_id; ValueError where not every landmark has exactly one."""
    rows = sorted((record.model_dump() for record in records), key=lambda row: row["landmark_id"])
    if len({row["landmark_id"] for row in rows}) != len(rows) or len(rows) != expected:
        raise ValueError(f"{len(rows)} records for {expected} landmarks: the annotator lost some")
    write_parquet(pa.Table.from_pylist(rows, schema), task.work / f"{task.shard}.parquet")
    return Made(len(rows), {"landmark": count(row["status"] for row in rows)})


STEP = Step(
    stage="qa",
    name="part",
    version=2,
    after=("selection/part",),
    settings=annotator_settings,
    shards=shards,
    make=make,
    requests=requests,
)
