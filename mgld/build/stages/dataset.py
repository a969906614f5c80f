"""Stage dataset: the loadable Hugging Face folder, a shard per Parquet file, the card last."""

from __future__ import annotations

from typing import Any

from mgld.build.config import BuildConfig
from mgld.build.manifest import BuildFacts
from mgld.build.plan import Context, ShardSpec, Step
from mgld.build.read import BuildView
from mgld.build.runner import Report
from mgld.build.shards import Made, ShardTask

READS = (
    "catalog/landmarks.",
    "catalog/images.",
    "catalog/names.",
    "selection/",
    "qa/",
    "entities/",
    "scores/",
    "splits/",
)
CARD_FILE = "README.md"
# Settings that change how the build runs or where it reads, and nothing a row or the card says.
NOT_STATED = {"source", "chunk", "threads", "batch_size", "device"}


def settings(config: BuildConfig, facts: BuildFacts) -> dict[str, Any]:
    """All that rows and card quote of the settings."""
    from mgld.hub.rows import public_encoder

    stated = config.model_dump(exclude=NOT_STATED)
    return {**stated, "encoder": public_encoder(config.encoder), **facts.model_dump()}


def file_shards(context: Context) -> list[ShardSpec]:
    """One per Parquet file of the dataset."""
    from mgld.hub import list_outputs

    return [
        ShardSpec(f"files-{output.path}", reads=READS, argument=output)
        for output in list_outputs(BuildView(context.root))
    ]


def make_file(task: ShardTask, report: Report) -> Made:
    """Write one Parquet file of the dataset."""
    from mgld.hub import write_output

    write_output(BuildView(task.root), task.argument, task.work / task.argument.path)
    report(task.argument.rows)
    kind = task.argument.path.partition("/")[0]
    return Made(task.argument.rows, {kind: {"rows": task.argument.rows}})


def make_card(task: ShardTask, report: Report) -> Made:
    """Write the card: with it the folder becomes loadable."""
    from mgld.hub import list_outputs, write_card

    view = BuildView(task.root)
    write_card(view, list_outputs(view), task.root / "dataset", task.work / CARD_FILE)
    return Made(1, {})


FILES = Step(
    stage="dataset",
    name="files",
    version=2,
    after=("splits/tables", "entities/part"),
    settings=settings,
    shards=file_shards,
    make=make_file,
    seals=(CARD_FILE,),
)
CARD = Step(
    stage="dataset",
    name="card",
    version=3,
    after=("dataset/files",),
    settings=settings,
    shards=lambda context: [
        ShardSpec(
            "card",
            reads=(
                *READS,
                *(f"dataset/{folder}/" for folder in ("full", "eval", "names", "subsets")),
            ),
        )
    ],
    make=make_card,
)
