"""What in a recipe cannot be meant, whatever the files hold: all of it, a phrase each."""

from __future__ import annotations

from inspect import get_annotations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eeca_ref.recipe import Recipe

# not a recipe's to set: they come from the parts, the tokenizer and the data
_OF_THE_PARTS = frozenset(
    {
        "vision_config",
        "text_config",
        "image_token_id",
        "hierarchical_labels",
        "tie_word_embeddings",
        "sub_configs_defaults",
    }
)


def contradictions(recipe: Recipe) -> list[str]:
    """Every contradiction of a recipe, with the keys it is about; [] where there is none."""
    settings, problems = _settings(recipe)
    return [
        *_beginning(recipe),
        *problems,
        *_parts(recipe, settings),
        *_data(recipe, settings),
        *_running(recipe),
    ]


def stated(recipe: Recipe) -> dict[str, Any]:
    """Settings of `EecaConfig` as far as the recipe alone says them.

    Without a warm start all are known, as those not stated are the defaults.
    """
    if recipe.model.start is not None:
        return dict(recipe.model.settings)
    defaults = {name: default for name, (_, default) in _known_settings().items()}
    return {**defaults, **recipe.model.settings}


def _known_settings() -> dict[str, tuple[Any, Any]]:
    """Settings that a recipe may have: name to (type, default)."""
    from eeca_ref.config import EecaConfig

    return {
        name: (kind, getattr(EecaConfig, name))
        for name, kind in get_annotations(EecaConfig, eval_str=True).items()
        if name not in _OF_THE_PARTS
    }


def _beginning(recipe: Recipe) -> list[str]:
    model = recipe.model
    problems = []
    if model.start is not None and (model.vision or model.language_model):
        problems.append("model: either `start` or `vision` with `language_model`, not both")
    if model.start is None and not (model.vision and model.language_model):
        problems.append("model: `start`, or both `vision` and `language_model`, is needed")
    if model.start is None and model.new:
        problems.append("model.new is for a warm start: all adapters of a new model are new")
    nothing = [part for part in model.revision if not getattr(model, part)]
    if nothing:
        problems.append(f"model.revision of what is not given: {', '.join(nothing)}")
    return problems


def _settings(recipe: Recipe) -> tuple[dict[str, Any], list[str]]:
    """What the recipe says of the model, and what is wrong with it by itself."""
    from pydantic import TypeAdapter, ValidationError
    from transformers import CLIPVisionConfig, LlamaConfig

    from eeca_ref.config import EecaConfig

    known = _known_settings()
    settings = stated(recipe)
    problems = []
    for name in recipe.model.settings:
        if name == "hierarchical_labels":
            problems.append(
                "model.settings.hierarchical_labels: the labels are the data's, or those of `start`"
            )
        elif name not in known:
            problems.append(
                f"model.settings.{name} is no setting of the model; there are "
                + ", ".join(sorted(known))
            )
        else:
            try:
                # strict: a text such as "false" would count as true
                TypeAdapter(known[name][0]).validate_python(settings[name], strict=True)
                continue
            except ValidationError as error:
                said = error.errors()[0]["msg"]
                problems.append(f"model.settings.{name} is {settings[name]!r}: {said}")
        settings.pop(name)
    try:
        # parts that fit anything, so that only what contradicts itself is found
        EecaConfig(
            vision_config=CLIPVisionConfig(image_size=16, patch_size=8),
            text_config=LlamaConfig(max_position_embeddings=2**40),
            hierarchical_labels=("any",),
            **({"mu_e": 0.0, "mu_h": 0.0} | settings),
        )
    except ValueError as error:
        problems.append(f"model.settings: {str(error).removeprefix('EecaConfig: ')}")
    return settings, problems


def _parts(recipe: Recipe, settings: dict[str, Any]) -> list[str]:
    """Parts that there are not, that learn nothing, or that stay at random."""
    model, train = recipe.model, recipe.train
    problems = []
    why_not: dict[str, str] = {}
    if settings.get("hr") is False:
        why_not |= dict.fromkeys(("resampler", "log_tau"), "there is no HR branch (hr is false)")
    for where, parts in (("train", train), ("model.new", model.new)):
        problems += [f"{where}: {part}: {why_not[part]}" for part in parts if part in why_not]
    idle = {"log_tau": "mu_e", "classifier": "mu_h"}
    problems += [
        f"train: {part} learns nothing where {weight} is 0"
        for part, weight in idle.items()
        if part in train and part not in why_not and settings.get(weight) == 0
    ]
    begins: tuple[str, ...] = model.new if model.start is not None else ("lr_adapter", "resampler")
    if model.start is None and settings.get("mu_h"):
        begins += ("classifier",)
    problems += [
        f"{part} begins anew but is not in `train`: it would stay at random"
        for part in begins
        # log_tau begins at a value, not at random
        if part not in train and part not in why_not and part != "log_tau"
    ]
    if "classifier" in model.new and settings.get("mu_h") == 0:
        problems.append("model.new: classifier: there is none where mu_h is 0")
    if model.start is not None and "log_tau" in model.settings and "log_tau" not in model.new:
        problems.append("model.settings.log_tau is a beginning: name log_tau in model.new too")
    untrained = [part for part in recipe.optim.part_lr if part not in train]
    if untrained:
        problems.append(f"optim.part_lr of parts that are not trained: {', '.join(untrained)}")
    return problems


def _data(recipe: Recipe, settings: dict[str, Any]) -> list[str]:
    source = recipe.data.source
    if source.kind == "mgld":
        if recipe.data.format == "plain":
            return [
                "data.format: plain leaves questions out, but MGLD's records are questions with "
                "answers; use chat"
            ]
        return []
    problems = []
    if settings.get("mu_e"):
        problems.append(f"mu_e is {settings['mu_e']}, but LLaVA's data has no entities (mu_e: 0)")
    if settings.get("mu_h"):
        problems.append(
            f"mu_h is {settings['mu_h']}, but LLaVA's data has no hierarchical labels (mu_h: 0)"
        )
    if "classifier" in recipe.model.new and settings.get("mu_h") is None:
        problems.append("model.new: classifier: LLaVA's data has no hierarchical labels")
    return problems


def _running(recipe: Recipe) -> list[str]:
    optim, engine = recipe.optim, recipe.engine
    problems = []
    if optim.global_batch % optim.micro_batch:
        problems.append(
            f"optim.global_batch {optim.global_batch} does not divide by optim.micro_batch "
            f"{optim.micro_batch}"
        )
    if engine.precision == "bf16" and engine.zero_stage == 0:
        problems.append(
            "engine.zero_stage 0 is for engine.precision fp32: with bf16 DeepSpeed accumulates "
            "gradients in float32 from stage 1 on, which shards nothing in a single process"
        )
    if engine.offload and engine.zero_stage == 0:
        problems.append("engine.offload needs engine.zero_stage 1, 2 or 3")
    if engine.attention == "flash_attention_2" and engine.precision == "fp32":
        problems.append("engine.attention flash_attention_2 needs engine.precision bf16")
    return problems
