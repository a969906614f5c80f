"""Stage entities (paper, section 3.1, stage 3): entities, refined label, aliases, place hints."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from mgld.build.annotating import config_annotator, model_annotator
from mgld.build.plan import Context, ShardSpec, Step
from mgld.build.runner import Report
from mgld.build.shards import Made, ShardTask
from mgld.build.source import GROUND_TRUTH
from mgld.build.stages.catalog import chunk_ids
from mgld.build.stages.chosen_images import ChosenImages
from mgld.build.stages.landmark_rows import annotator_settings
from mgld.build.stages.qa import qa_tasks, write_records
from mgld.llm import Request
from mgld.schema import EntityRecord, EntityTask, QaRecord

SCHEMA = pa.schema(
    [
        ("landmark_id", pa.int64()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("entities", pa.list_(pa.string())),
        ("entities_raw", pa.list_(pa.string())),
        ("hierarchical_label", pa.string()),
        ("aliases", pa.list_(pa.string())),
        ("place_hints", pa.list_(pa.string())),
        ("repaired", pa.bool_()),
        ("annotator", pa.string()),
        ("prompt_version", pa.string()),
    ]
)


def shards(context: Context) -> list[ShardSpec]:
    """One per chunk of landmarks."""
    return [
        ShardSpec(
            id,
            reads=("catalog/landmarks.", f"selection/{id}.", f"qa/{id}."),
            sources=(GROUND_TRUTH,),
            argument=number * context.config.chunk,
        )
        for number, id in enumerate(chunk_ids(context))
    ]


def entity_tasks(task: ShardTask, answers: list[QaRecord]) -> tuple[list[EntityTask], ChosenImages]:
    """The chunk's landmarks that have an answer, and their images."""
    tasks, _, images = qa_tasks(task)
    wanted = [EntityTask(qa_task=tasks[qa.landmark_id], qa=qa) for qa in answers if _asked(qa)]
    return wanted, images


def requests(task: ShardTask) -> Iterator[Request]:
    """What a model is asked for the chunk."""
    from mgld.annotate.model import task_image

    annotator = model_annotator(task.config, task.root)
    wanted, images = entity_tasks(task, _answers(task))
    return (annotator.entities_request(each, task_image(each.qa_task, images)) for each in wanted)


def make(task: ShardTask, report: Report) -> Made:
    """Write one EntityRecord per landmark of the chunk; without an answer there are no entities."""
    annotator = config_annotator(task.config, task.root)
    answers = _answers(task)
    wanted, images = entity_tasks(task, answers)
    records = annotator.annotate(wanted, images)
    records += [
        EntityRecord(
            landmark_id=qa.landmark_id,
            status="skipped",
            reason=qa.reason,
            annotator=annotator.id,
            prompt_version=annotator.entities_version,
        )
        for qa in answers
        if not _asked(qa)
    ]
    return write_records(task, records, len(answers), SCHEMA)


def _answers(task: ShardTask) -> list[QaRecord]:
    return [QaRecord.model_validate(row) for row in task.table("qa", task.shard).to_pylist()]


def _asked(qa: QaRecord) -> bool:
    return qa.status == "ok"


STEP = Step(
    stage="entities",
    name="part",
    version=2,
    after=("qa/part",),
    settings=annotator_settings,
    shards=shards,
    make=make,
    requests=requests,
)
