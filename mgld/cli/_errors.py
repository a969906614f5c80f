"""Errors a user can act on become one line and exit code 1; bugs keep their traceback."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

P = ParamSpec("P")
R = TypeVar("R")


def user_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Turn errors a user can act on into a click error, exit 1.

    ValueError and OSError (wrong input, full disk) become one line; a build that failed or was
    stopped says so, a worker's traceback above it, and so does a run of requests.
    """

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (ValueError, OSError) as error:
            if isinstance(error, BrokenPipeError) and _reader_is_gone():
                raise  # `mgld subset ... | head`: click ends quietly
            raise click.ClickException(str(error)) from error
        except RuntimeError as error:
            from mgld.build import BuildError, BuildStoppedError  # help must import nothing
            from mgld.llm.errors import GatherStoppedError

            if not isinstance(error, BuildError | BuildStoppedError | GatherStoppedError):
                raise
            if isinstance(error, BuildError) and error.details:
                click.echo(error.details, err=True)
            raise click.ClickException(str(error)) from error

    return wrapper


def _reader_is_gone() -> bool:
    """Whether nobody reads our standard output any more: a broken pipe may be another's."""
    if not hasattr(select, "poll"):  # Windows
        return False
    try:
        output = sys.stdout.fileno()
    except OSError:  # not a file
        return False
    poll = select.poll()
    poll.register(output, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
