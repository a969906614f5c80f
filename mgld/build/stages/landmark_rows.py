"""What the annotation stages know of a chunk's landmarks."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from mgld.build.config import BuildConfig
from mgld.build.manifest import BuildFacts
from mgld.build.read import read_table
from mgld.build.shards import ShardTask
from mgld.schema import Facts

LABELS = ["name", "hierarchical_label", "supercategory", "natural_or_human_made"]


def annotator_settings(config: BuildConfig, facts: BuildFacts) -> dict[str, Any]:
    """What of an annotator can change a record; where and how a model is asked cannot."""
    settings: dict[str, Any] = {
        "annotator": facts.annotator_id,
        "prompt_version": facts.prompt_version,
        "seed": config.seed,
    }
    if config.model is not None:
        settings["parameters"] = config.parameters.model_dump(mode="json")
        settings["extra_labels"] = config.extra_labels
    return settings


def chunk_landmarks(task: ShardTask) -> dict[int, dict[str, Any]]:
    """Name and GLDv2 labels of the chunk's landmarks, by landmark_id ascending.

    `task.argument` is the first landmark's row in catalog/landmarks.
    """
    table = _landmarks(task.root, task.version("catalog/landmarks."))
    rows = table.slice(task.argument, task.config.chunk).to_pylist()
    return {row["landmark_id"]: row for row in rows}


@lru_cache(maxsize=1)
def _landmarks(root: Path, version: str) -> Any:
    return read_table(root, "catalog", "landmarks", ["landmark_id", *LABELS])


@lru_cache(maxsize=1)
def world_facts(source_root: Path, version: str) -> dict[int, Facts]:
    """What a procedural world says of its landmarks; empty for real sources."""
    from mgld.world import read_ground_truth

    table = read_ground_truth(source_root)
    if table is None:
        return {}
    columns = list(Facts.model_fields)
    return {
        row.pop("landmark_id"): Facts.model_validate(row)
        for row in table.select(["landmark_id", *columns]).to_pylist()
    }
