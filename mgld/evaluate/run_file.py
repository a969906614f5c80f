"""`run.yaml`: what was asked of whom, and how; the settings, resolved, of a run of answers."""

from __future__ import annotations

import datetime
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import Field, ValidationError

import mgld
from mgld.evaluate.answer_prompts import PromptName
from mgld.evaluate.questions import DatasetIdentity
from mgld.evaluate.records import DRAWS, Decoding
from mgld.files import write_text_atomically
from mgld.llm.settings import LlmSettings
from mgld.schema import Record

RUN_FILE: Final = "run.yaml"
_PACKAGES = ("torch", "transformers", "tokenizers", "pillow", "datasets", "openai", "numpy")


class AnswerSettings(Record):
    """What is asked of whom. `model`: see `load_model`; `data`: a dataset, build folder or Hub id.

    limit: only the first so many questions. seed: of all sampling. batch_size: questions that a
    local model takes at once; part of what a run is, since rounding depends on it. send_seed: send
    seeds to an endpoint, too.
    """

    model: str
    data: str
    config: str = "eval"
    split: str = "test"
    revision: str | None = None
    limit: int | None = Field(default=None, ge=1)
    draws: int = Field(default=DRAWS, ge=1)
    seed: int = Field(default=0, ge=0)
    prompt: PromptName = "question"
    decoding: Decoding = Field(default_factory=Decoding)
    batch_size: int = Field(default=8, ge=1)
    send_seed: bool = False
    device: str | None = None
    llm: LlmSettings = Field(default_factory=LlmSettings)


class AnswerRun(Record):
    """`run.yaml`. `model_id`, `model_identity`: as the model says, see `Model`.

    began: when the first draw was asked for, UTC; hardware: of the machine that asked. Both are
    empty in runs of an early mgld.
    """

    settings: AnswerSettings
    prompt_version: str
    dataset: DatasetIdentity
    model_id: str
    model_identity: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str]
    began: str = ""
    hardware: dict[str, str | int] = Field(default_factory=dict)


def load_run(folder: str | Path) -> AnswerRun:
    """`run.yaml` of a run's folder. FileNotFoundError, or ValueError where it is none."""
    path = Path(folder) / RUN_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} is no run: it has no {RUN_FILE}; `mgld answer` makes one"
        )
    try:
        return AnswerRun.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise ValueError(f"{path} is no run of this mgld: {error}") from error


def save_run(folder: Path, run: AnswerRun) -> None:
    """Write `run.yaml`, whole."""
    text = yaml.safe_dump(run.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_text_atomically(folder / RUN_FILE, text)


def package_versions() -> dict[str, str]:
    """Versions of what answers may depend on; nothing is imported for it."""
    found = {"mgld": mgld.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def utc_now() -> str:
    """Now, to the second, as `2026-11-23T05:30:00Z`."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def hardware() -> dict[str, str | int]:
    """What this machine is, without its name: system, processor, cores, GPUs if torch is loaded."""
    found: dict[str, str | int] = {
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": os.cpu_count() or 0,
    }
    torch = sys.modules.get("torch")  # imported only by what runs a model itself
    if torch is not None and torch.cuda.is_available():
        names = [torch.cuda.get_device_name(each) for each in range(torch.cuda.device_count())]
        found["gpus"] = ", ".join(f"{names.count(name)} x {name}" for name in sorted(set(names)))
    return found
