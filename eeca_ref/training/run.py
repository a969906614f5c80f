"""A training run from recipe to model; `train` is called in every process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from eeca_ref.assembling import (
    build_model,
    image_settings,
    label_vocabulary,
    load_tokenizer,
    model_config,
    open_source,
    token_settings,
)
from eeca_ref.data.labels import LabelVocabulary
from eeca_ref.data.loader import Examples, Step, TrainLoader, rows_with_images
from eeca_ref.data.sampler import GroupedSampler
from eeca_ref.data.store_write import make_store
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
from eeca_ref.training.engine import restore_log_tau, set_lr, start_engine
from eeca_ref.training.log import RunLog, StepRecord
from eeca_ref.training.manifest import peak_memory
from eeca_ref.training.resume import Beginning, check_data, find_beginning
from eeca_ref.training.schedule import lr_factor, warmup_steps
from eeca_ref.training.step import NonFiniteError, StepTotals, train_step
from eeca_ref.training.validation import Validation, held_out

T = TypeVar("T")
STORE = "store"


@dataclass(frozen=True)
class TrainResult:
    """What a run made.

    Attributes:
        model: folder of the final model.
        steps: of the whole run.
        done_before: the run was finished already, and nothing was done.
        losses: of the last step, by name; {} where none was done.
        validation: losses on the rows held out at the end, if there are any.
    """

    model: Path
    steps: int
    done_before: bool = False
    losses: dict[str, float] | None = None
    validation: dict[str, float] | None = None


def train(recipe: Recipe, out: Path, *, resume: bool = True) -> TrainResult:
    """Run a recipe in `out`, from its newest checkpoint if there is one.

    Called in every process of torchrun or the deepspeed launcher, or in one by itself. A finished
    run is left as it is.

    Raises:
        FileNotFoundError, ValueError: what the recipe names is not there or does not fit; `out`
            holds another run (`resume.find_beginning`).
        NonFiniteError: a loss or gradient is NaN or infinite; with the samples' ids.
    """
    world = distributed.start()
    recipe.optim.accumulation(world.size)  # before anything is loaded: whether the batch divides
    beginning = world.once(
        lambda: find_beginning(recipe, out, world_size=world.size, resume=resume)
    )
    if beginning.finished:
        return TrainResult(out / MODEL, beginning.step, done_before=True)

    # Data: rows to tokens, labels to classes, rows to steps
    tokenizer, source = load_tokenizer(recipe), open_source(recipe)
    shape = model_config(recipe, tokenizer, LabelVocabulary(["any"]))
    store = make_store(out / STORE, source, tokenizer, token_settings(recipe, shape))
    check_data(beginning, store.binding)
    labels = label_vocabulary(recipe, store.labels)
    usable, missing = world.once(lambda: rows_with_images(store, source))
    rows, validation_rows = held_out(usable, recipe.data.validation)
    settings = image_settings(recipe, shape)
    examples = Examples(store, source, settings, labels)
    sampler = GroupedSampler(
        rows,
        store.lengths,
        store.has_image,
        global_batch=recipe.optim.global_batch,
        seed=recipe.seed,
        order=recipe.data.order,
    )
    loader = TrainLoader(
        examples,
        sampler,
        epochs=recipe.optim.epochs,
        micro_batch=recipe.optim.micro_batch,
        rank=world.rank,
        world_size=world.size,
        workers=recipe.data.workers,
        pin_memory=world.device.type == "cuda",
    )
    validation = None
    if len(validation_rows):
        validation = Validation(
            examples,
            validation_rows,
            world,
            micro_batch=recipe.optim.micro_batch,
            workers=recipe.data.workers,
        )
    total = min(loader.steps, recipe.optim.max_steps or loader.steps)

    # Model and engine
    model = _model(recipe, beginning, tokenizer, labels)
    processor = EecaProcessor.of(
        model.config,
        tokenizer,
        image_mean=settings.mean,
        image_std=settings.std,
        fit=settings.fit,
    )
    engine = start_engine(model, recipe, world, accumulation=loader.accumulation)
    if beginning.checkpoint is not None:
        load_resume(engine, beginning.checkpoint, world)
        restore_log_tau(engine)

    # Steps
    warmup = warmup_steps(total, recipe.optim.warmup_ratio)
    log = RunLog(out, recipe, resume_step=beginning.step, main=world.main, total_steps=total)
    cursor = None if beginning.state is None else beginning.state.cursor
    losses: dict[str, float] = {}
    with log:
        log.event("resume" if beginning.step else "start", total_steps=total)
        began = time.perf_counter()
        steps = _timed(loader.steps_from(cursor))
        for number in range(beginning.step, total):
            step, waited = next(steps)
            rates = set_lr(engine, recipe.optim, lr_factor(number, total=total, warmup=warmup))
            every = recipe.log.gradient_norms_every
            try:
                totals = train_step(
                    engine,
                    step.micro_batches,
                    world,
                    gradient_norms=every is not None and number % every == 0,
                )
            except NonFiniteError as error:
                log.event("nan", step=number + 1, what=error.what, ids=error.ids)
                raise
            losses = totals.losses
            now = time.perf_counter()
            record = _record(totals, number + 1, (number + 1) / sampler.steps, rates)
            log.step(record.model_copy(update={"seconds": now - began, "loader_seconds": waited}))
            began = now
            if (number + 1) % recipe.keep.every == 0 and number + 1 < total:
                state = State(
                    step=number + 1,
                    cursor=step.cursor,
                    world_size=world.size,
                    binding=store.binding,
                    recipe=recipe,
                    validation=_validate(validation, engine, log),
                )
                log.event("checkpoint")
                write_checkpoint(
                    engine, out, state, world, processor=processor, keep=recipe.keep.last
                )
                began = time.perf_counter()
        validated = _validate(validation, engine, log)
        write_final_model(engine, out, world, processor=processor)
        log.event("finish")
    return TrainResult(out / MODEL, total, losses=losses, validation=validated)


def _model(
    recipe: Recipe, beginning: Beginning, tokenizer: Any, labels: LabelVocabulary
) -> EecaForConditionalGeneration:
    """As the recipe begins, or as the checkpoint left it."""
    if beginning.checkpoint is None:
        return build_model(recipe, tokenizer, labels)
    model: EecaForConditionalGeneration = EecaForConditionalGeneration.from_pretrained(
        beginning.checkpoint / MODEL,
        dtype=torch.bfloat16 if recipe.engine.precision == "bf16" else torch.float32,
        attn_implementation=recipe.engine.attention,
    )
    return model


def _validate(validation: Validation | None, engine: Any, log: RunLog) -> dict[str, float] | None:
    if validation is None:
        return None
    losses = validation.losses(engine)
    log.event("validation", **losses)
    return losses


def _timed(steps: Iterator[Step]) -> Iterator[tuple[Step, float]]:
    """The steps, each with the seconds that were waited for it."""
    began = time.perf_counter()
    for step in steps:
        yield step, time.perf_counter() - began
        began = time.perf_counter()


def _record(totals: StepTotals, step: int, epoch: float, rates: dict[str, float]) -> StepRecord:
    memory, counts = peak_memory(), totals.counts
    return StepRecord(
        step=step,
        epoch=epoch,
        **totals.losses,
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
        peak_memory_bytes=memory.device_bytes or memory.rss_bytes,
    )
