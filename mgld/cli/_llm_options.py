"""Options of every command that asks a model behind an endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

LLM_OPTIONS = {
    "base_url": "base_url",
    "max_usd": "max_usd",
    "batch": "batch",
    "concurrency": "concurrency",
    "rpm": "requests_per_minute",
    "tpm": "tokens_per_minute",
    "api": "api",
}
"""Option -> setting of `mgld.llm.settings`; prices and deadlines are set in a YAML file."""

_BATCH = click.option(
    "--batch/--no-batch", default=None, help="Ask in batches: half the price, within a day."
)
_BEFORE = (
    click.option(
        "--base-url",
        help="For openai:MODEL: an endpoint like http://127.0.0.1:8000/v1.  [default: OpenAI's]",
    ),
    click.option("--max-usd", type=click.FloatRange(min=0), help="Stop before more is spent."),
)
_AFTER = (
    click.option(
        "--concurrency", type=click.IntRange(min=1), help="Requests at once.  [default: 32]"
    ),
    click.option("--rpm", type=click.IntRange(min=1), help="Requests per minute at most."),
    click.option("--tpm", type=click.IntRange(min=1), help="Tokens per minute at most."),
    click.option(
        "--api",
        type=click.Choice(["auto", "responses", "chat", "chat-json", "chat-text"]),
        help="How the endpoint is spoken to.  [default: auto, the strictest it takes]",
    ),
)


def llm_options(*, batch: bool) -> Callable[[F], F]:
    """Add the options; `batch` where the command can also use the Batch API."""

    def add(command: F) -> F:
        for option in reversed((*_BEFORE, *((_BATCH,) if batch else ()), *_AFTER)):
            command = option(command)
        return command

    return add


def take_llm_settings(options: dict[str, Any]) -> dict[str, Any]:
    """Take the settings that were given out of a command's options."""
    given = {name: options.pop(option, None) for option, name in LLM_OPTIONS.items()}
    return {name: value for name, value in given.items() if value is not None}
