"""A training run from recipe to model; `train` is called in every process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from eeca_ref.assembling import build_model
from eeca_ref.model import EecaForConditionalGeneration
from eeca_ref.processing import EecaProcessor
from eeca_ref.recipe import Recipe
from eeca_ref.training import distributed
from eeca_ref.training.checkpoints import (
    MODEL,
    State,
    load_resume,
    write_checkpoint,
    write_final_model,
)
from eeca_ref.training.data import RunData, open_data
from eeca_ref.training.distributed import World
from eeca_ref.training.engine import restore_log_tau, set_lr, start_engine
from eeca_ref.training.flops import FlopCount
from eeca_ref.training.log import LOG_FILE, RunLog, StepRecord
from eeca_ref.training.manifest import (
    MANIFEST_FILE,
    PeakMemory,
    device_name,
    finish_manifest,
    peak_memory,
    read_manifest,
    write_manifest,
)
from eeca_ref.training.origins import model_entries
from eeca_ref.training.resume import Beginning, alone_in, check_data, find_beginning
from eeca_ref.training.schedule import lr_factor, warmup_steps
from eeca_ref.training.step import NonFiniteError, StepTotals, train_step


@dataclass(frozen=True)
class TrainResult:
    """What a run made.

    Attributes:
        model: folder of the final model.
        steps: that this call did.
        done_before: the run was finished already, and nothing was done.
        losses: of the last step, by name.
        validation: losses on the rows held out, at the end; None where there are none.
    """

    model: Path
    steps: int = 0
    done_before: bool = False
    losses: dict[str, float] = field(default_factory=dict)
    validation: dict[str, float] | None = None


def train(recipe: Recipe, out: Path, *, resume: bool = True) -> TrainResult:
    """Run a recipe in `out`, from its newest checkpoint if there is one.

    Called in every process of torchrun or the deepspeed launcher, or in one by itself; on several
    machines `out` is a folder that all of them see. A finished run is left as it is.

    Raises:
        FileNotFoundError, ValueError: what the recipe names is not there or does not fit; `out`
            holds another run (`resume.find_beginning`), or one that runs.
        NonFiniteError: a loss or gradient is NaN or infinite; with the samples' ids.
    """
    world = distributed.start()
    recipe.optim.accumulation(world.size)  # whether the batch divides, before anything is loaded
    with alone_in(out, world):
        return _train(recipe, out, world, resume=resume)


def _train(recipe: Recipe, out: Path, world: World, *, resume: bool) -> TrainResult:
    beginning = world.once(
        lambda: find_beginning(recipe, out, world_size=world.size, resume=resume)
    )
    if beginning.finished:
        return TrainResult(out / MODEL, done_before=True)
    data = open_data(recipe, out, world)
    check_data(beginning, data.entry.binding)

    model = _model(recipe, beginning, data)
    flops = FlopCount(model.config, recipe.train, checkpointing=recipe.engine.checkpointing)
    mean, std, fit = data.settings.mean, data.settings.std, data.settings.fit
    processor = EecaProcessor.of(
        model.config, data.tokenizer, image_mean=mean, image_std=std, fit=fit
    )
    engine = start_engine(model, recipe, world, accumulation=data.loader.accumulation)
    if beginning.checkpoint is not None:
        load_resume(engine, beginning.checkpoint, world)
        restore_log_tau(engine)
    _begin_manifest(recipe, out, world, data, beginning)

    total = min(data.loader.steps, recipe.optim.max_steps or data.loader.steps)
    warmup = warmup_steps(total, recipe.optim.warmup_ratio)
    losses: dict[str, float] = {}
    with RunLog(out, recipe, resume_step=beginning.step, main=world.main, total_steps=total) as log:
        kind = "resume" if beginning.step else "start"
        log.event(kind, total_steps=total, rows=data.entry.statuses)
        steps = data.loader.steps_from(beginning.cursor)
        for done in range(beginning.step, total):
            began = time.perf_counter()
            step = next(steps)
            waited = time.perf_counter() - began
            rates = set_lr(engine, recipe.optim, lr_factor(done, total=total, warmup=warmup))
            with _nan_is_logged(log, done + 1):
                totals = train_step(
                    engine,
                    step.micro_batches,
                    world,
                    gradient_norms=_now(recipe.log.gradient_norms_every, done),
                    flops=flops,
                )
            losses = totals.losses
            record = _record(totals, done + 1, (done + 1) / data.sampler.steps, rates)
            times = {"seconds": time.perf_counter() - began, "loader_seconds": waited}
            log.step(record.model_copy(update=times))
            if (done + 1) % recipe.keep.every == 0 and done + 1 < total:
                state = State(
                    step=done + 1,
                    cursor=step.cursor,
                    world_size=world.size,
                    binding=data.entry.binding,
                    validation=_validate(data, engine, log, done + 1),
                )
                # logged first: a log goes on where a whole checkpoint stands
                log.event("checkpoint")
                write_checkpoint(
                    engine, out, state, world, processor=processor, keep=recipe.keep.last
                )
        validated = _validate(data, engine, log, total)
        log.event("finish")
    _finish_manifest(out, world)
    # the last thing: where it is, the run is finished
    folder = write_final_model(engine, out, world, processor=processor)
    engine.destroy()
    return TrainResult(folder, total - beginning.step, losses=losses, validation=validated)


def _model(recipe: Recipe, beginning: Beginning, data: RunData) -> EecaForConditionalGeneration:
    """As the recipe begins, or as the checkpoint left it."""
    if beginning.checkpoint is None:
        return build_model(recipe, data.tokenizer, data.labels)
    model: EecaForConditionalGeneration = EecaForConditionalGeneration.from_pretrained(
        beginning.checkpoint / MODEL,
        dtype=torch.bfloat16 if recipe.engine.precision == "bf16" else torch.float32,
        attn_implementation=recipe.engine.attention,
    )
    return model


def _validate(data: RunData, engine: Any, log: RunLog, step: int) -> dict[str, float] | None:
    if data.validation is None:
        return None
    with _nan_is_logged(log, step):
        found = data.validation.measure(engine)
    log.event("validation", **found.losses, samples=found.samples, skipped=found.skipped)
    return found.losses


@contextmanager
def _nan_is_logged(log: RunLog, step: int) -> Iterator[None]:
    try:
        yield
    except NonFiniteError as error:
        log.event("nan", step=step, what=error.what, ids=error.ids)
        raise


def _now(every: int | None, step: int) -> bool:
    return every is not None and step % every == 0


def _record(totals: StepTotals, step: int, epoch: float, rates: dict[str, float]) -> StepRecord:
    memory, counts = peak_memory(), totals.counts
    return StepRecord(
        step=step,
        epoch=epoch,
        loss=totals.losses["loss"],
        lm_loss=totals.losses["lm_loss"],
        entity_loss=totals.losses["entity_loss"],
        hierarchical_loss=totals.losses["hierarchical_loss"],
        lr=rates,
        grad_norm=totals.grad_norm,
        tau=totals.tau,
        counters=totals.counters,
        samples=counts.samples,
        supervised_tokens=counts.supervised_tokens,
        tokens=counts.tokens,
        seconds=0.0,
        skipped=counts.skipped,
        gradient_norms=totals.gradient_norms,
        model_flops=counts.model_flops,
        hardware_flops=counts.hardware_flops,
        peak_memory_bytes=memory.device_bytes or memory.rss_bytes,
    )


def _begin_manifest(
    recipe: Recipe, out: Path, world: World, data: RunData, beginning: Beginning
) -> None:
    devices, path = world.gathered(device_name()), out / MANIFEST_FILE

    def write() -> None:
        write_manifest(
            path,
            recipe=recipe,
            data=data.entry,
            # what a checkpoint began from is not read again
            models=read_manifest(path).models if beginning.step else model_entries(recipe),
            order_hashes=[data.sampler.order_hash(epoch) for epoch in range(recipe.optim.epochs)],
            resume_step=beginning.step,
            devices=devices,
        )

    world.once(write)


def _finish_manifest(out: Path, world: World) -> None:
    everyones: list[PeakMemory] = world.gathered(peak_memory())
    if world.main:
        device = [each.device_bytes for each in everyones if each.device_bytes is not None]
        rss = max(each.rss_bytes for each in everyones)
        largest = PeakMemory(rss_bytes=rss, device_bytes=max(device, default=None))
        finish_manifest(out / MANIFEST_FILE, log=out / LOG_FILE, peak_memory=largest)
