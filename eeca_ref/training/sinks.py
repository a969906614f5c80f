"""Where a log goes besides its file: TensorBoard and wandb, both optional."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from eeca_ref.recipe import Recipe
from mgld.files import write_text_atomically

if TYPE_CHECKING:
    from eeca_ref.training.log import StepRecord

TENSORBOARD_FOLDER = "tensorboard"
WANDB_ID_FILE = "wandb_id.txt"


class Sink(Protocol):
    """Told of what is in the log."""

    def step(self, record: StepRecord) -> None:
        """One or several steps, as one record."""

    def event(self, entry: Mapping[str, Any]) -> None:
        """An event, as it stands in the log."""

    def close(self) -> None:
        """No more will come."""


def open_sinks(out: Path, recipe: Recipe, *, resume_step: int) -> list[Sink]:
    """What the recipe's `log` asks for. RuntimeError: it is not installed."""
    sinks: list[Sink] = []
    if recipe.log.tensorboard:
        sinks.append(TensorBoardSink(out / TENSORBOARD_FOLDER, resume_step=resume_step))
    if recipe.log.wandb is not None:
        sinks.append(WandbSink(out, recipe, recipe.log.wandb, resume_step=resume_step))
    return sinks


def scalars(record: StepRecord) -> dict[str, float]:
    """A record's numbers by the names they have in TensorBoard and wandb."""
    named: dict[str, float | None] = {
        f"train/{name}": getattr(record, name)
        for name in (
            "loss",
            "lm_loss",
            "entity_loss",
            "hierarchical_loss",
            "grad_norm",
            "tau",
            "epoch",
            "samples",
            "supervised_tokens",
            "tokens",
        )
    }
    named["speed/tokens_per_second"] = record.tokens / record.seconds if record.seconds else None
    named["speed/loader_share"] = record.loader_seconds / record.seconds if record.seconds else None
    named["speed/peak_memory_bytes"] = record.peak_memory_bytes
    for group, values in (
        ("lr", record.lr),
        ("counters", record.counters),
        ("skipped", record.skipped),
        ("gradient_norms", record.gradient_norms or {}),
    ):
        named |= {f"{group}/{name}": value for name, value in values.items()}
    return {name: value for name, value in named.items() if value is not None}


class TensorBoardSink:
    """Event files in `folder`; what an earlier session wrote after `resume_step` is purged."""

    def __init__(self, folder: Path, *, resume_step: int) -> None:
        _wanted("tensorboard", "log.tensorboard")
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder), purge_step=resume_step + 1)

    def step(self, record: StepRecord) -> None:
        """See `Sink`."""
        for name, value in scalars(record).items():
            self._writer.add_scalar(name, value, record.step)

    def event(self, entry: Mapping[str, Any]) -> None:
        """See `Sink`; an event's numbers are scalars too."""
        for name, value in _numbers(entry).items():
            self._writer.add_scalar(name, value, entry["step"])
        self._writer.flush()

    def close(self) -> None:
        """See `Sink`."""
        self._writer.close()


class WandbSink:
    """A run of wandb, the same one after a resume. Its id is kept in the run's folder."""

    def __init__(self, out: Path, recipe: Recipe, project: str, *, resume_step: int) -> None:
        wandb = _wanted("wandb", "log.wandb")
        at = out / WANDB_ID_FILE
        known = at.read_text(encoding="utf-8").strip() if resume_step and at.exists() else None
        self._run: Any = wandb.init(
            project=project,
            name=recipe.name,
            id=known,
            resume="allow" if known else None,
            config=recipe.model_dump(mode="json"),
            dir=str(out),
        )
        write_text_atomically(at, f"{self._run.id}\n")

    def step(self, record: StepRecord) -> None:
        """See `Sink`."""
        self._run.log(scalars(record), step=record.step)

    def event(self, entry: Mapping[str, Any]) -> None:
        """See `Sink`; an event's numbers are scalars too."""
        if numbers := _numbers(entry):
            self._run.log(numbers, step=entry["step"])

    def close(self) -> None:
        """See `Sink`."""
        self._run.finish()


def _numbers(entry: Mapping[str, Any]) -> dict[str, float]:
    return {
        f"{entry['kind']}/{name}": value
        for name, value in entry.items()
        if name != "step" and isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _wanted(package: str, setting: str) -> Any:
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:  # it is there, but something that it needs is not
            raise
        raise RuntimeError(
            f"the recipe asks for {setting}, but {package} is not installed: "
            f"`pip install {package}`, or leave the setting out"
        ) from None
