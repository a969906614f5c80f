"""What the commands that take a recipe have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def recipe_options(command: F) -> F:
    """Add the argument RECIPE and `--set` to a command: `recipe` and `sets`."""
    command = click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="KEY=VALUE",
        help="Another value, e.g. optim.lr=1e-4; may be given several times.",
    )(command)
    return click.argument("recipe")(command)
