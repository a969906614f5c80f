"""DeepSpeed's engine around a model, as a recipe describes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from eeca_ref.losses import TAU_MAX, TAU_MIN
from eeca_ref.model import PARTS, EecaForConditionalGeneration
from eeca_ref.recipe import OptimRecipe, Recipe
from eeca_ref.training.distributed import World

BUCKET = 200_000_000
"""Elements that are reduced at once, at most: DeepSpeed takes memory for all of them."""


def start_engine(
    model: EecaForConditionalGeneration, recipe: Recipe, world: World, *, accumulation: int
) -> Any:
    """The engine that trains the parts of `recipe.train`; the model is changed and taken over.

    Args:
        model: whole, in every process, in the recipe's precision.
        recipe: what is trained, and how.
        world: from `distributed.start`.
        accumulation: micro-batches of an optimizer step in each process.

    Raises:
        ValueError: a part that the model lacks.
    """
    import deepspeed

    lacking = [part for part in recipe.train if getattr(model, part) is None]
    if lacking:
        raise ValueError(f"`train` names what the model does not have: {', '.join(lacking)}")
    model.set_trainable(*recipe.train)
    model.train()
    language_model = model.language_model
    if recipe.engine.checkpointing:
        language_model.gradient_checkpointing_enable({"use_reentrant": False})
    if recipe.engine.compile:
        for layer in language_model.get_decoder().layers:
            layer.compile()
    groups = parameter_groups(model, recipe)
    engine, *_ = deepspeed.initialize(
        model=model,
        model_parameters=groups,
        config=deepspeed_config(recipe, world, accumulation=accumulation, groups=groups),
    )
    restore_log_tau(engine)
    return engine


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """What is trained, as the optimizer's groups: `part`, `params`, `lr`, `weight_decay`.

    A group for each part; with weight decay two, as vectors (biases, norms, log tau) do not decay.
    """
    optim, groups = recipe.optim, []
    for part in PARTS:
        if part not in recipe.train:
            continue
        owner = getattr(model, part)
        parameters = [owner] if isinstance(owner, Tensor) else list(owner.parameters())
        lr = base_lr(optim, part)
        for decays in (True, False):
            mine = [p for p in parameters if (bool(optim.weight_decay) and p.ndim > 1) == decays]
            if mine:
                decay = optim.weight_decay if decays else 0.0
                groups.append({"part": part, "params": mine, "lr": lr, "weight_decay": decay})
    return groups


def base_lr(optim: OptimRecipe, part: str) -> float:
    """A part's learning rate, before the schedule."""
    own: dict[str, float] = dict(optim.part_lr)  # type: ignore[arg-type]
    return own.get(part, optim.lr)


def set_lr(engine: Any, optim: OptimRecipe, factor: float) -> dict[str, float]:
    """Set all groups' learning rates to `factor` of what the recipe says; they, by part."""
    rates = {}
    for group in engine.optimizer.param_groups:
        group["lr"] = rates[group["part"]] = factor * base_lr(optim, group["part"])
    return rates


def deepspeed_config(
    recipe: Recipe, world: World, *, accumulation: int, groups: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """A recipe in DeepSpeed's words."""
    optim, engine = recipe.optim, recipe.engine
    elements = sum(parameter.numel() for group in groups for parameter in group["params"])
    bucket = min(BUCKET, elements + elements % 2)  # DeepSpeed wants an even number
    zero: dict[str, Any] = {
        "stage": engine.zero_stage,
        "reduce_bucket_size": bucket,
        "allgather_bucket_size": bucket,
    }
    cuda = world.device.type == "cuda"
    if engine.offload:
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": cuda}
    # DeepSpeed's own AdamW wants a compiler at hand, torch's does not
    ours = not (engine.offload and cuda)
    adamw: dict[str, Any] = {
        "lr": optim.lr,
        "betas": list(optim.betas),
        "eps": optim.eps,
        "weight_decay": optim.weight_decay,
    }
    if ours:
        adamw |= {"torch_adam": True, "fused": cuda}
    return {
        "train_micro_batch_size_per_gpu": optim.micro_batch,
        "gradient_accumulation_steps": accumulation,
        "gradient_clipping": optim.clip or 0.0,
        "optimizer": {"type": "AdamW", "params": adamw},
        "zero_force_ds_cpu_optimizer": False,
        "zero_optimization": zero,
        "bf16": {"enabled": engine.precision == "bf16"},
        "data_types": {"grad_accum_dtype": "fp32"},
        "steps_per_print": None,
    }


def restore_log_tau(engine: Any) -> None:
    """Give the forward pass back what rounding took from log tau; after each step and load.

    DeepSpeed casts all parameters to bfloat16, in which the temperature would move in steps of
    1/128 of itself, and keeps a float32 copy in the optimizer.
    """
    from deepspeed.utils import safe_get_full_fp32_param

    log_tau = engine.module.log_tau
    if log_tau is None or not log_tau.requires_grad or log_tau.dtype == torch.float32:
        return
    full = safe_get_full_fp32_param(log_tau)
    if full is not None:
        engine.module.log_tau_rest = (full - _rounded(log_tau).float()).detach()


def temperature(engine: Any) -> Tensor | None:
    """tau of L_e as the next forward pass has it, float32; None without the HR branch."""
    if engine.module.log_tau is None:
        return None
    log_tau = _rounded(engine.module.log_tau).float() + engine.module.log_tau_rest
    tau: Tensor = log_tau.squeeze(0).exp().clamp(TAU_MIN, TAU_MAX)
    return tau


def _rounded(parameter: Tensor) -> Tensor:
    """A parameter's value in the model's precision, also where ZeRO-3 has sharded it."""
    import deepspeed

    with deepspeed.zero.GatheredParameters([parameter]):
        return parameter.detach().clone()
