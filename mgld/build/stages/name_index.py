"""Stage embeddings, last step: the candidate names as an index that `mgld nearest` asks."""

from __future__ import annotations

from mgld.build.plan import ShardSpec, Step
from mgld.build.runner import Report
from mgld.build.shards import Made, ShardTask
from mgld.build.stages.vectors import name_matrix
from mgld.scoring.name_index import write_index


def make(task: ShardTask, report: Report) -> Made:
    """Write index.faiss and index.parquet."""
    names = task.table("embeddings", "names", ["name"])["name"].to_pylist()
    made_by = {
        "encoder": None,  # as config.yaml says: where its files lie changes no index
        "fingerprint": task.facts.encoder_fingerprint,
        "template": task.config.template,
    }
    write_index(
        task.work, names, name_matrix(task.root, task.version("embeddings/names-")), made_by
    )
    return Made(len(names), {})


STEP = Step(
    stage="embeddings",
    name="index",
    version=1,
    after=("embeddings/names",),
    # They can change vectors, and those are read; here they are only quoted.
    settings=lambda config, facts: {
        "fingerprint": facts.encoder_fingerprint,
        "template": config.template,
    },
    shards=lambda context: [ShardSpec("index", reads=("embeddings/names-",))],
    make=make,
)
