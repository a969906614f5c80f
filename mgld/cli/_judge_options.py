"""Options of every command that has answers judged, and the judge that they name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mgld.cli._llm_options import llm_options, take_llm_settings

if TYPE_CHECKING:
    from mgld.evaluate.judges import Judge

F = TypeVar("F", bound=Callable[..., Any])

_ASKING = (
    click.option(
        "--judge",
        "spec",
        required=True,
        help="rule, openai:MODEL, openai:MODEL:strict, majority:A,B,C or rule-first:JUDGE.",
    ),
    llm_options(batch=False),
    click.option(
        "--prices",
        type=click.Path(exists=True, dir_okay=False),
        help="YAML like mgld/llm/prices.yaml, for --max-usd.",
    ),
    click.option(
        "--ledger",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path("judge-ledger.sqlite"),
        show_default=True,
        help="File of the judge's replies.",
    ),
    click.option(
        "--no-temperature",
        is_flag=True,
        help="Send no temperature instead of 0: reasoning models refuse one.",
    ),
)


def judge_options(command: F) -> F:
    """Add the options."""
    for option in reversed(_ASKING):
        command = option(command)
    return command


def judge_of(spec: str, ledger: Path, no_temperature: bool, options: dict[str, Any]) -> Judge:
    """The judge that the options name; `options`: the rest, out of which they are taken."""
    from mgld.evaluate.judges import JudgeOptions, load_judge
    from mgld.llm.settings import LlmSettings

    llm = {**take_llm_settings(options), "prices": options["prices"]}
    return load_judge(
        spec,
        JudgeOptions(
            ledger=ledger,
            llm=LlmSettings.model_validate(llm),
            temperature=None if no_temperature else 0.0,
        ),
    )
