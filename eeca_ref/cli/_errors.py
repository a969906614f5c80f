"""Errors a user can act on become one line and exit code 1, as in `mgld`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from eeca_ref.cli._ranks import rank
from mgld.cli._errors import user_errors as mgld_user_errors

P = ParamSpec("P")
R = TypeVar("R")


def user_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Turn errors a user can act on into a click error, exit 1.

    As in `mgld`, and a loss that is no number. A process other than the first says its rank.
    """
    wrapped = mgld_user_errors(function)

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return wrapped(*args, **kwargs)
        except ArithmeticError as error:
            from eeca_ref.training.step import NonFiniteError  # help must import nothing

            if not isinstance(error, NonFiniteError):
                raise
            raise _of_rank(click.ClickException(str(error))) from error
        except click.ClickException as error:
            if isinstance(error, click.UsageError):
                raise
            raise _of_rank(error) from error.__cause__

    return wrapper


def _of_rank(error: click.ClickException) -> click.ClickException:
    return click.ClickException(f"[rank {rank()}] {error.message}") if rank() > 0 else error
