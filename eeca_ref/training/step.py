"""One optimizer step, which does not depend on how its samples are cut into batches.

Every loss is a sum over the samples of the step divided by a count over the step: over all
micro-batches and all processes. The counts are known before the first forward pass, so the
gradients of the micro-batches add up to that of the step, whatever their number and size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eeca_ref.data.collate import Batch
from eeca_ref.objective import visual_gradient_norms
from eeca_ref.training.counting import StepCounts, count_step
from eeca_ref.training.distributed import World
from eeca_ref.training.engine import restore_log_tau, temperature
from eeca_ref.training.flops import FlopCount

LOSSES = ("loss", "lm_loss", "entity_loss", "hierarchical_loss")
COUNTERS = ("images_with_entities", "images_contrasted", "entities", "entity_tokens")


class NonFiniteError(ArithmeticError):
    """A loss or a gradient is not a number, or infinite. `ids`: of the samples it comes from."""

    def __init__(self, what: str, ids: Sequence[str]) -> None:
        super().__init__(f"{what} is not finite; samples: {', '.join(ids)}")
        self.what = what
        self.ids = list(ids)


@dataclass(frozen=True)
class StepTotals:
    """What a step did, over all processes; see `training.log.StepRecord` for the names."""

    losses: dict[str, float]
    counts: StepCounts
    counters: dict[str, int]
    tau: float | None
    grad_norm: float
    gradient_norms: dict[str, float] | None


def train_step(
    engine: Any,
    batches: Sequence[Batch],
    world: World,
    *,
    gradient_norms: bool = False,
    flops: FlopCount | None = None,
) -> StepTotals:
    """Train on the micro-batches of one optimizer step; the learning rate is set before.

    Args:
        engine: from `start_engine`.
        batches: this process's, as many as the engine accumulates.
        world: the others.
        gradient_norms: whether to measure each loss's gradient at the visual tokens, too.
        flops: to count operations; None: they are not.

    Raises:
        NonFiniteError: in all processes, before the weights change.
    """
    counts = count_step(batches, engine.module.config, world, flops)
    tau = temperature(engine)
    norms = _gradient_norms(engine.module, batches[0], world) if gradient_norms else None
    values, finite = _gradients(engine, batches, counts, world)
    read: list[float] = world.summed(values).tolist()
    losses = dict(zip(LOSSES, read, strict=False))
    if not all(map(math.isfinite, losses.values())):
        wrong = [batch.ids for batch, good in zip(batches, finite, strict=True) if not good]
        raise NonFiniteError("the loss", everyones_ids(wrong, world))
    norm = _update(engine)
    if not math.isfinite(norm):
        raise NonFiniteError("the gradient", everyones_ids([batch.ids for batch in batches], world))
    restore_log_tau(engine)
    counters = dict(zip(COUNTERS, map(int, read[len(LOSSES) :]), strict=True))
    counters |= {"images": counts.images, "labelled": counts.labelled, "classes": counts.classes}
    return StepTotals(losses, counts, counters, None if tau is None else float(tau), norm, norms)


def to_device(batch: Batch, device: torch.device) -> dict[str, Tensor]:
    """A batch's inputs where the model is."""
    return {name: each.to(device, non_blocking=True) for name, each in batch.inputs.items()}


def _gradients(
    engine: Any, batches: Sequence[Batch], counts: StepCounts, world: World
) -> tuple[Tensor, list[Tensor]]:
    """Add up the gradients; (sums of losses and counters, which batches' losses are finite)."""
    values = torch.zeros(len(LOSSES) + len(COUNTERS), dtype=torch.float64, device=world.device)
    finite = []
    for number, batch in enumerate(batches):
        output = engine(**to_device(batch, world.device), counts=counts.losses)
        measured = [getattr(output, name).detach() for name in LOSSES]
        finite.append(torch.stack(measured).isfinite().all())
        measured += [output.counters[name] for name in COUNTERS]
        values += torch.stack([each.double() for each in measured])
        # DeepSpeed takes the mean over processes, and by itself one over micro-batches: all of it
        # is in the counts already
        engine.backward(output.loss * world.size, scale_wrt_gas=False)
        if number < len(batches) - 1:
            engine.step()  # only counts; the last one, in `_update`, moves the weights
    return values, finite


def _update(engine: Any) -> float:
    """The optimizer's step, and the gradient's norm; not finite: nothing was changed."""
    if not engine.zero_optimization():
        gradients = [p.grad for p in engine.module.parameters() if p.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(gradients))
        if math.isfinite(norm):
            engine.step()
        return norm
    engine.step()
    # ZeRO's optimizers look at the gradients first and leave the step out
    return math.nan if engine.optimizer.overflow else float(engine.get_global_grad_norm())


def _gradient_norms(model: Any, batch: Batch, world: World) -> dict[str, float]:
    """Of each loss at the visual tokens, in a process's first micro-batch; mean over processes.

    In a forward pass of its own and past the engine, whose hooks mean training by any backward
    pass; those of ZeRO-3 hand out copies of what a module returns, so the model's are left out too.
    """
    import deepspeed

    own = list(model.parameters(recurse=False))
    with deepspeed.zero.GatheredParameters(own):
        output = model.forward(**to_device(batch, world.device))
        losses = {name: getattr(output, name) for name in LOSSES[1:]}
        norms = visual_gradient_norms(output.visual_tokens, losses)
    sums: list[float] = world.summed(torch.stack(list(norms.values())).double()).tolist()
    return {name: value / world.size for name, value in zip(norms, sums, strict=True)}


def everyones_ids(batches: Sequence[Sequence[str]], world: World) -> list[str]:
    """The samples' ids of all processes, by rank. batches: this one's ids, by batch."""
    mine = [name for ids in batches for name in ids]
    return [name for each in world.gathered(mine) for name in each]
