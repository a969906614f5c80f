"""Stage embeddings, first step: every candidate name as a vector."""

from __future__ import annotations

import pyarrow as pa

from mgld.build.plan import Context, ShardSpec, Step
from mgld.build.runner import Report
from mgld.build.shards import Made, ShardTask, count, write_parquet
from mgld.build.stages.catalog import listed
from mgld.build.stages.encoder import encoder_settings, worker_encoder
from mgld.build.stages.vectors import vector_column

NAMES_PER_SHARD = 16_384
BATCH_SIZE = 256


def shards(context: Context) -> list[ShardSpec]:
    """So many names each, in the order of catalog/names."""
    starts = range(0, listed(context, "name", "unique"), NAMES_PER_SHARD)
    return [
        ShardSpec(f"names-{number:05d}", reads=("catalog/names.",), argument=start)
        for number, start in enumerate(starts)
    ]


def make(task: ShardTask, report: Report) -> Made:
    """Write name, vector and flag: `truncated`, `unfamiliar_script`, both (with a +) or ""."""
    table = task.table("catalog", "names", ["name"]).slice(task.argument, NAMES_PER_SHARD)
    names = table["name"].to_pylist()
    template = task.config.template
    with worker_encoder(task) as encoder:
        vectors = encoder.encode_names(names, template=template, batch_size=BATCH_SIZE)
        flags = encoder.name_flags(names, template=template)
    report(len(names))
    columns = {"name": pa.array(names, pa.string()), "vector": vector_column(vectors)}
    columns["flag"] = pa.array(flags, pa.string())
    write_parquet(pa.table(columns), task.work / f"{task.shard}.parquet")
    return Made(len(names), {"name": count(flag or "plain" for flag in flags)})


STEP = Step(
    stage="embeddings",
    name="names",
    version=1,
    after=("catalog/tables",),
    settings=lambda config, facts: {
        **encoder_settings(config, facts),
        "template": config.template,
        "names_per_shard": NAMES_PER_SHARD,
        "batch_size": BATCH_SIZE,
    },
    shards=shards,
    make=make,
    portable=True,
)
