"""What `mgld answer` and `mgld probe` have in common: options of the model that is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from mgld.cli._llm_options import llm_options, take_llm_settings

F = TypeVar("F", bound=Callable[..., Any])

DECODING = ("temperature", "top_p", "max_new_tokens")


class NumberOrNone(click.ParamType):  # type: ignore[type-arg]
    """A number, or `none` for what is not to be sent."""

    name = "number|none"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """The number; "none" stays, as it differs from an option that is not given."""
        if value == "none" or isinstance(value, float):
            return value
        try:
            number = float(str(value))
        except ValueError:
            number = -1.0
        if not 0 <= number < float("inf"):
            self.fail(f"{value!r} is neither a number from 0 on nor none", param, ctx)
        return number


_OPTIONS = (
    click.option(
        "--model",
        required=True,
        help="Who is asked: openai:MODEL, hf:REPO_OR_DIR, file:ANSWERS.jsonl, standin:, or a model "
        "that an installed package brings.",
    ),
    click.option("--data", required=True, help="Build or dataset folder, or a Hub id."),
    click.option("--revision", help="Tag or commit of a Hub id."),
    click.option(
        "--out",
        required=True,
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of the run; the same call goes on where a killed one was.",
    ),
    click.option("--limit", type=click.IntRange(min=1), help="Only the first so many questions."),
    click.option("--seed", type=click.IntRange(min=0), help="Key of all sampling.  [default: 0]"),
    click.option("--temperature", type=NumberOrNone(), help="[default: 0.7; of a file: none]"),
    click.option("--top-p", type=NumberOrNone(), help="[default: 1; of a file: none]"),
    click.option(
        "--max-new-tokens", type=click.IntRange(min=1), help="Of an answer.  [default: 256]"
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(min=1),
        help="Questions that a local model takes at once.  [default: 8]",
    ),
    click.option("--device", help="Of a local model: cpu, cuda, cuda:1.  [default: its choice]"),
    click.option(
        "--send-seed",
        is_flag=True,
        help="Send each draw's seed, to an endpoint that takes one (mostly with --api chat).",
    ),
    click.option("--retry-errors", is_flag=True, help="Make draws again that ended in an error."),
    click.option(
        "--prices",
        type=click.Path(exists=True, dir_okay=False),
        help="YAML like mgld/llm/prices.yaml, for --max-usd.",
    ),
)


def asking_options(command: F) -> F:
    """Add the options to a command, which passes them to `asking_settings`."""
    command = llm_options(batch=False)(command)
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def asking_settings(options: dict[str, Any]) -> dict[str, Any]:
    """Fields of `AnswerSettings` from the options but --out and --retry-errors; defaults left out.

    What was done to answers from a file is not known here, so nothing is claimed of it.
    """
    llm = take_llm_settings(options)
    if prices := options.pop("prices"):
        llm["prices"] = prices
    given = {name: options.pop(name) for name in DECODING}
    decoding: dict[str, Any] = {
        name: None if value == "none" else value
        for name, value in given.items()
        if value is not None
    }
    if options["model"].startswith("file:"):
        decoding = {"temperature": None, "top_p": None, **decoding}
    rest = {name: value for name, value in options.items() if value is not None}
    return {**rest, "decoding": decoding, "llm": llm}


@contextmanager
def draws_shown(what: str) -> Iterator[Callable[[int, int], None]]:
    """A callback for (draws there, draws wanted) that shows progress on stderr."""
    from mgld.build.progress import shown_progress

    with shown_progress() as progress:
        there: int | None = None

        def show(done: int, total: int) -> None:
            nonlocal there
            if there is None:
                progress.start(what, total - done, total, "draws")
            else:
                progress.rows(done - there)
            there = done

        yield show
        progress.end()
