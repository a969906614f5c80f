"""What a record says besides its numbers: model, data, decoding, versions."""

from __future__ import annotations

from typing import Any

from mgld.evaluate.answer_prompts import answer_prompt
from mgld.evaluate.questions import DatasetIdentity
from mgld.evaluate.run_file import AnswerRun
from mgld.evaluate.run_metrics import RunMetrics
from mgld.leaderboard.manifest import is_repo
from mgld.leaderboard.prepare import public_source

_SELF_DEPLOYED = ("hf", "eeca", "standin")
"""Kinds of models that run in the process that asks them."""


def source_metadata(organization: str, relationship: str) -> dict[str, Any]:
    """Who provides the record."""
    return {
        "source_name": "MGLD",
        "source_type": "evaluation_run",
        "source_organization_name": organization,
        "evaluator_relationship": relationship,
    }


def eval_library(run: AnswerRun, metrics: RunMetrics) -> dict[str, Any]:
    """mgld as it graded, and the versions with which it asked."""
    asked = {f"asked_with_{name}": version for name, version in run.versions.items()}
    return {"name": "mgld", "version": metrics.version, "additional_details": asked}


def model_info(run: AnswerRun, id: str) -> dict[str, Any]:
    """The model under test. identity: its hashes and revision as the run has them."""
    kind = run.model_id.partition(":")[0]
    from_hub = kind == "hf" and is_repo(run.model_id.partition(":")[2])
    return {
        "name": run.model_id,
        "id": id,
        "additional_details": {
            "deployment_type": "self_deployed" if kind in _SELF_DEPLOYED else "unknown",
            "model_availability": "open_weights" if from_hub else "unknown",
            **texts(run.model_identity, "identity_"),
            **texts(run.hardware, "hardware_"),
        },
    }


def generation_config(run: AnswerRun) -> dict[str, Any]:
    """How answers were sampled; of answers from a file only what is said of them."""
    decoding, settings = run.settings.decoding, run.settings
    args: dict[str, Any] = {"temperature": decoding.temperature, "top_p": decoding.top_p}
    if settings.model.partition(":")[0] != "file":
        args["max_tokens"] = decoding.max_new_tokens
        args["prompt_template"] = answer_prompt(settings.prompt).text
    details = {
        "draws": settings.draws,
        "seed": settings.seed,
        "send_seed": settings.send_seed,
        "prompt": settings.prompt,
        "prompt_version": run.prompt_version,
    }
    return {"generation_args": args, "additional_details": texts(details)}


def source_data(dataset: DatasetIdentity) -> dict[str, Any]:
    """The questions: a dataset on the Hub with its revision, or a folder by its name alone."""
    source = public_source(dataset.source)
    details = texts(
        {
            "config": dataset.config,
            "revision": dataset.revision,
            "content": dataset.content,
            "questions_sha256": dataset.questions_sha256,
        }
    )
    if is_repo(source):
        return {
            "dataset_name": "mgld",
            "source_type": "hf_dataset",
            "hf_repo": source,
            "hf_split": dataset.split,
            "samples_number": dataset.questions,
            "additional_details": details,
        }
    more = texts({"folder": source, "split": dataset.split, "samples_number": dataset.questions})
    return {
        "dataset_name": "mgld",
        "source_type": "other",
        "additional_details": {**details, **more},
    }


def texts(values: Any, prefix: str = "") -> dict[str, str]:
    """Values as the schema's further details want them: texts. None, and "", is left out."""
    return {
        f"{prefix}{name}": str(value) for name, value in values.items() if value not in ("", None)
    }
