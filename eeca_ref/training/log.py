"""The log of a run: `log.jsonl`, one JSON object a line; TensorBoard and wandb where asked for.

A line is a step (`StepRecord`, or several steps summed up, see `merged`) or an event (`start`,
`resume`, `checkpoint`, `validation`, `nan`, `finish`). A run that goes on from step S drops what
was logged after S, so that its log is that of a run that was never killed, but for times. For that,
what belongs to a step is logged before its checkpoint is renamed into place.
"""

from __future__ import annotations

import datetime
import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pydantic import Field

from eeca_ref.recipe import Recipe
from eeca_ref.training.progress import Progress, shown_progress
from eeca_ref.training.sinks import Sink, open_sinks
from mgld.files import atomic_path
from mgld.schema import Record

LOG_FILE = "log.jsonl"
STEP = "step"
TIMES = frozenset({"time", "seconds", "loader_seconds", "peak_memory_bytes"})
"""Fields that differ between two runs of the same recipe."""
SESSIONS = frozenset({"start", "resume"})
"""Events that a killed run has more of."""
_LARGEST = frozenset({"classes"})
"""Counters that do not add up over steps."""


class StepRecord(Record):
    """What one optimizer step did, over all processes.

    Attributes:
        step: counted from 1.
        epoch: passes over the data so far, a fraction.
        loss: the objective; `lm_loss`, `entity_loss`, `hierarchical_loss`: L_g, L_e, L_h, not
            weighted.
        lr: learning rate by parameter group.
        grad_norm: L2 norm of the gradient before clipping; None where the engine has none.
        tau: temperature of L_e; None without the high-resolution branch.
        counters: what the losses had to learn from (`objective.counters`), summed over processes.
        samples: rows trained on.
        supervised_tokens: tokens that L_g is computed on.
        tokens: positions of the language model that are not padding, visual tokens included.
        seconds: wall time of the step, waiting for data included.
        loader_seconds: of these, waiting for data (in this process).
        skipped: rows that gave no sample when they were read, by status.
        gradient_norms: of each loss at the visual tokens, where they were measured in this step.
        peak_memory_bytes: largest memory of this process's device so far.
        model_flops, hardware_flops: operations of forward and backward, over all processes
            (`eeca_ref.training.flops`).
    """

    step: int = Field(ge=1)
    epoch: float
    loss: float
    lm_loss: float
    entity_loss: float
    hierarchical_loss: float
    lr: dict[str, float]
    grad_norm: float | None = None
    tau: float | None = None
    counters: dict[str, int] = Field(default_factory=dict)
    samples: int
    supervised_tokens: int
    tokens: int
    seconds: float
    loader_seconds: float = 0.0
    skipped: dict[str, int] = Field(default_factory=dict)
    gradient_norms: dict[str, float] | None = None
    peak_memory_bytes: int | None = None
    model_flops: int | None = None
    hardware_flops: int | None = None


class RunLog:
    """Writes a run's log and shows its progress. In processes other than the main one: nothing.

    Args:
        out: the run's folder.
        recipe: what is run; its `log` says what is written where.
        resume_step: the step that the run goes on from; 0: the log begins anew.
        main: whether this process writes.
        total_steps: where the progress ends; None: not known.

    Raises:
        ValueError: a line of an earlier log, not its last, is no JSON.
        RuntimeError: TensorBoard or wandb is asked for and not installed; says what to install.
    """

    def __init__(
        self,
        out: Path,
        recipe: Recipe,
        *,
        resume_step: int,
        main: bool,
        total_steps: int | None = None,
    ) -> None:
        self._every = recipe.log.every
        self._pending: list[StepRecord] = []
        self._step = resume_step
        self._file: IO[str] | None = None
        self._sinks: list[Sink] = []
        self._progress: Progress | None = None
        if not main:
            return
        path = Path(out) / LOG_FILE
        self._sinks = open_sinks(Path(out), recipe, resume_step=resume_step)
        drop_after(path, resume_step)
        self._file = path.open("a", encoding="utf-8")
        self._progress = shown_progress(done=resume_step, total=total_steps)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def step(self, record: StepRecord) -> None:
        """A step is done. Written every `log.every` steps; what lies between is summed up."""
        self._step = record.step
        if self._file is None:
            return
        self._pending.append(record)
        if self._progress is not None:
            self._progress.step(record)
        if record.step % self._every == 0:
            self._write_pending()

    def event(self, kind: str, **what: Any) -> None:
        """Something happened: JSON-able values by name; `step`, if not among them, is the last.

        On disk when this returns. Steps that were not written yet are written first, so that a
        checkpoint never stands between steps that share a line.
        """
        if kind == STEP:
            raise ValueError("steps are logged by `step`")
        if self._file is None:
            return
        self._write_pending()
        entry = {"kind": kind, "step": self._step} | what
        self._write(entry)
        os.fsync(self._file.fileno())
        for sink in self._sinks:
            sink.event(entry)
        if self._progress is not None:
            self._progress.event(entry)

    def close(self) -> None:
        """Write what was not written yet and let go of the files. Harmless when done twice."""
        if self._file is None:
            return
        self._write_pending()
        self._file.close()
        self._file = None
        for sink in self._sinks:
            sink.close()
        if self._progress is not None:
            self._progress.close()

    def _write_pending(self) -> None:
        if not self._pending:
            return
        record, steps = merged(self._pending), len(self._pending)
        self._pending = []
        self._write({"kind": STEP} | record.model_dump(exclude_none=True) | {"steps": steps})
        for sink in self._sinks:
            sink.step(record)

    def _write(self, entry: dict[str, Any]) -> None:
        assert self._file is not None
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        text = json.dumps(_finite(entry | {"time": now}), allow_nan=False)
        self._file.write(text + "\n")
        self._file.flush()


def merged(records: Sequence[StepRecord]) -> StepRecord:
    """Consecutive steps as one record, so that a line for several steps loses nothing.

    Counts, tokens, operations and times are sums (the counter `classes` and the memory are the
    largest), losses are means over steps, the gradient's norm is the largest; step, epoch, learning
    rate, temperature and gradient norms at the visual tokens are the last.
    """
    last = records[-1]
    if len(records) == 1:
        return last
    counters: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for record in records:
        skipped.update(record.skipped)
        for name, number in record.counters.items():
            old = counters[name]
            counters[name] = max(old, number) if name in _LARGEST else old + number
    norms = [record.gradient_norms for record in records if record.gradient_norms is not None]
    changes: dict[str, Any] = {
        "counters": dict(counters),
        "skipped": dict(skipped),
        "gradient_norms": norms[-1] if norms else None,
    }
    for name in ("loss", "lm_loss", "entity_loss", "hierarchical_loss"):
        changes[name] = math.fsum(getattr(record, name) for record in records) / len(records)
    for name in ("samples", "supervised_tokens", "tokens", "seconds", "loader_seconds"):
        changes[name] = sum(getattr(record, name) for record in records)
    for name in ("model_flops", "hardware_flops"):
        counts = [getattr(record, name) for record in records]
        changes[name] = None if None in counts else sum(counts)
    for name in ("grad_norm", "peak_memory_bytes"):
        known = [value for record in records if (value := getattr(record, name)) is not None]
        changes[name] = max(known, default=None)
    return last.model_copy(update=changes)


def read_log(path: Path, *, times: bool = True) -> list[dict[str, Any]]:
    """The lines of a log; a last line that is torn is left out.

    times: False leaves out what differs between two runs of the same recipe: the fields of `TIMES`
    and the events of `SESSIONS`.
    ValueError: another line is no JSON.
    """
    entries = [json.loads(line) for line in _lines(path)]
    if times:
        return entries
    return [
        {name: value for name, value in entry.items() if name not in TIMES}
        for entry in entries
        if entry["kind"] not in SESSIONS
    ]


def drop_after(path: Path, step: int) -> None:
    """Leave in a log what happened until `step`: all at once or not at all. 0 leaves nothing."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as out:
        for line in _lines(path):
            if step and json.loads(line)["step"] <= step:
                out.write(line)


def _lines(path: Path) -> Iterator[str]:
    """The whole lines of a log."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith("\n"):
                return
            try:
                json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: no JSON ({error}); mend it") from None
            yield line


def _finite(value: Any) -> Any:
    """With "nan", "inf" and "-inf" for the numbers that JSON has no name for."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return value
