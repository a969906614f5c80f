"""Stages qa and entities of a rehearsal: rows as a model's would be, from no model and no picture.

What these stages take is what pictures and replies take; here are none.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from benchmarks.scale.vectors import enter, planned
from mgld.build import BuildView
from mgld.build.shards import Counts, write_parquet
from mgld.build.stages import entities, qa

QUESTION = "Which landmark is shown in this picture, and what is known of it?"
ANSWER = "It is a landmark that stands where many people walk, of grey stone under a clear sky. "
ENTITIES = ["grey stone walls", "pointed arches", "clear sky", "cobbled square", "clock face"]


def fill_annotations(root: Path) -> None:
    """Write the shards of both stages that are missing, and enter them."""
    for step in (qa.STEP, entities.STEP):
        view = BuildView(root)
        (root / step.stage).mkdir(exist_ok=True)
        done: dict[str, tuple[str, int, Counts]] = {}
        for shard in planned(root, step.key)[0]:
            if shard.state == "done":
                continue
            ids = view.table("selection", shard.spec.id, ["landmark_id"])["landmark_id"]
            rows = [_qa(id) if step is qa.STEP else _entities(id) for id in ids.to_pylist()]
            schema = qa.SCHEMA if step is qa.STEP else entities.SCHEMA
            path = f"{step.stage}/{shard.spec.id}.parquet"
            write_parquet(pa.Table.from_pylist(rows, schema), root / path)
            done[shard.spec.id] = (path, len(rows), {"landmark": {"ok": len(rows)}})
        enter(root, step.key, done)


def _qa(landmark_id: int) -> dict[str, object]:
    turns = [("user", QUESTION), ("assistant", ANSWER * (1 + landmark_id % 4))]
    return {
        "landmark_id": landmark_id,
        "status": "ok",
        "reason": "",
        "question_id": "rehearsal",
        "conversation": [{"role": role, "content": content} for role, content in turns],
        "repaired": False,
        "annotator": "rehearsal",
        "prompt_version": "rehearsal",
    }


def _entities(landmark_id: int) -> dict[str, object]:
    return {
        "landmark_id": landmark_id,
        "status": "ok",
        "reason": "",
        "entities": ENTITIES,
        "entities_raw": ENTITIES,
        "hierarchical_label": "church",
        "aliases": [],
        "place_hints": ["Vernland"],
        "repaired": False,
        "annotator": "rehearsal",
        "prompt_version": "rehearsal",
    }
