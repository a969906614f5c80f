"""`mgld export every-eval-ever`: the aggregate record of a run and a row for each question.

They lie as the datastore wants them: `data/mgld/<developer>/<model>/<uuid>.json` and beside it
`<uuid>_samples.jsonl`. The uuid follows from the run's metrics: exported again, a run replaces
itself.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from mgld.files import write_text_atomically
from mgld.integrations.every_eval_ever.provenance import (
    eval_library,
    generation_config,
    model_info,
    source_data,
    source_metadata,
)
from mgld.integrations.every_eval_ever.results import evaluation_results
from mgld.integrations.every_eval_ever.samples import sample_rows
from mgld.report.evaluation_read import Evaluated, read_evaluated
from mgld.schema import Record

SCHEMA_VERSION: Final = "0.3.0"
COLLECTION: Final = "mgld"
Relationship = Literal["first_party", "third_party", "collaborative", "other"]
_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9_][\w.:-]*)+", re.ASCII)


class About(Record):
    """What the run does not say. organization: who provides the record.

    relationship: of whoever evaluated to the model. model_id: DEVELOPER/NAME as on the Hub; "": as
    the run's model is called, where that is such an id.
    """

    organization: str
    relationship: Relationship
    model_id: str = ""


class Exported(NamedTuple):
    """The two files, and how many rows the second one has."""

    aggregate: Path
    samples: Path
    rows: int


def export_run(folder: Path, judge: str | None, out: Path, about: About) -> Exported:
    """Write a graded run below `out`. judge: whose verdicts; None: those of the only one.

    ValueError: no run, no verdicts of this judge or none that are whole, nothing scored, or a model
    whose id is not known. Nothing is written then.
    """
    evaluated = read_evaluated(folder, judge)
    if evaluated.run is None:
        raise ValueError(f"{folder} has no run.yaml, which says what was asked of whom")
    if evaluated.metrics.levels.accuracy is None:
        raise ValueError(f"{folder}: {evaluated.metrics.judge} scored nothing: there is no result")
    if not about.organization.strip():
        raise ValueError("who provides the record? say --organization NAME")
    id = _model_id(about.model_id or evaluated.run.model_id.partition(":")[2])
    name = str(_uuid4(evaluated.metrics.inputs))
    developer, _, model = id.partition("/")
    where = f"data/{COLLECTION}/{developer}/{model.replace('/', '_').replace(':', '_')}/{name}"
    at = str(int(time.time()))
    evaluation = f"{COLLECTION}/{id}/{at}"
    rows = [_line(row) for row in sample_rows(evaluated, evaluation, id)]
    samples = "".join(rows)
    record = _aggregate(evaluated, about, evaluation, id, at) | {
        "detailed_evaluation_results": {
            "format": "jsonl",
            "file_path": f"{where}_samples.jsonl",
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(samples.encode()).hexdigest(),
            "total_rows": len(rows),
        }
    }
    # Refused before anything is written, as both files are text by now.
    text = json.dumps(record, indent=2, allow_nan=False) + "\n"
    found = Exported(out / f"{where}.json", out / f"{where}_samples.jsonl", len(rows))
    write_text_atomically(found.samples, samples)
    write_text_atomically(found.aggregate, text)
    return found


def _aggregate(
    evaluated: Evaluated, about: About, evaluation: str, id: str, at: str
) -> dict[str, Any]:
    assert evaluated.run is not None
    run, metrics = evaluated.run, evaluated.metrics
    config = generation_config(run)
    data = source_data(run.dataset)
    record: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": evaluation,
        "retrieved_timestamp": at,
        "source_metadata": source_metadata(about.organization, about.relationship),
        "eval_library": eval_library(run, metrics),
        "model_info": model_info(run, id),
        "evaluation_results": [
            {**result, "source_data": data, "generation_config": config}
            for result in evaluation_results(metrics)
        ],
    }
    return record | ({"evaluation_timestamp": run.began} if run.began else {})


def _model_id(said: str) -> str:
    parts = said.split("/")
    if not _ID.fullmatch(said) or "data" in parts or any(part.endswith(".") for part in parts):
        raise ValueError(
            f"{said!r} is no model's id in the datastore: say --model-id DEVELOPER/NAME, such as "
            "openai/gpt-4.1-2025-04-14 or its id on the Hub"
        )
    return said


def _uuid4(content: str) -> uuid.UUID:
    """A UUID of version 4 in form, drawn by the content."""
    return uuid.UUID(bytes=hashlib.sha256(content.encode()).digest()[:16], version=4)


def _line(row: dict[str, Any]) -> str:
    # As ASCII: some readers of lines would also cut at the likes of U+2028.
    return json.dumps(row, allow_nan=False) + "\n"
