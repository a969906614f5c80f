"""Libraries that a recipe's run needs beyond the base installation."""

from __future__ import annotations

from importlib.util import find_spec

from eeca_ref.recipe import Recipe


def missing_libraries(recipe: Recipe) -> list[str]:
    """A line for each library that the recipe's run needs and that is not installed."""
    needed = [("deepspeed", True), ("tensorboard", recipe.log.tensorboard)]
    problems = [
        f"{name} is not installed: install mgld with its extra `train` (or: pip install {name})"
        for name, used in needed
        if used and find_spec(name) is None
    ]
    others = [
        ("wandb", recipe.log.wandb is not None, "log.wandb"),
        ("flash_attn", recipe.engine.attention == "flash_attention_2", "engine.attention"),
    ]
    return problems + [
        f"{name} is not installed, but {key} wants it"
        for name, used, key in others
        if used and find_spec(name) is None
    ]


def require_libraries(recipe: Recipe) -> None:
    """ValueError with a line for each that is missing: said before anything is loaded."""
    if missing := missing_libraries(recipe):
        raise ValueError("\n".join(missing))
