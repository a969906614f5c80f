"""`mgld judge compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mgld.cli._errors import user_errors

if TYPE_CHECKING:
    from mgld.evaluate.intervals import Interval
    from mgld.evaluate.judge_compare import JudgeComparison


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--judges",
    "names",
    required=True,
    help="Two judges that judged RUN: ids or the names in verdicts-NAME.jsonl, with a comma "
    "between; ids that have commas go by their file's name.",
)
@click.option(
    "--top",
    default=10,
    show_default=True,
    type=click.IntRange(min=0),
    help="Differing questions to list, the widest apart first; --json has all.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def compare(run: Path, names: str, top: int, as_json: bool) -> None:
    """Where two judges, or two protocols of one, differ on the same answers.

    \b
    mgld grade runs/a --judge openai:MODEL
    mgld grade runs/a --judge openai:MODEL:strict
    mgld judge compare runs/a --judges openai:MODEL,openai:MODEL:strict
    """
    two = [name.strip() for name in names.split(",")]
    if len(two) != 2 or not all(two):
        raise click.UsageError("give two judges, like --judges rule,openai:MODEL")
    from mgld.evaluate.judge_compare import compare_judges

    found = compare_judges(run, *two)
    if as_json:
        click.echo(found.model_dump_json(indent=1))
    else:
        _show(found, top)


def _show(found: JudgeComparison, top: int) -> None:
    from mgld.evaluate.records import LEVELS

    for each in (found.first, found.second):
        click.echo(_line(f"{each.judge} (prompt {each.prompt_hash}): {each.levels.headline()}"))
    agreed = found.agreement
    left = f"; {found.not_in_both:,} that only one judged are left out" if found.not_in_both else ""
    click.echo(f"{found.questions:,} questions judged by both{left}")
    for name, value, interval in (
        ("same level", agreed.exact, agreed.exact_interval),
        ("kappa", agreed.kappa, agreed.kappa_interval),
        ("quadratic kappa", agreed.quadratic_kappa, agreed.quadratic_kappa_interval),
    ):
        click.echo(f"{name:<16}{_number(value)}{_span(interval)}")
    click.echo("first / second".ljust(16) + "".join(f"{level:>16}" for level in LEVELS))
    for level, counts in zip(LEVELS, agreed.matrix, strict=True):
        click.echo(f"{level:<16}" + "".join(f"{count:>16,}" for count in counts))
    click.echo(f"they differ on {len(found.differences):,} questions")
    for case in found.differences[:top]:
        click.echo(_line(f"{case.question_id}, {case.landmark}: {case.first} / {case.second}"))
        click.echo(f"  first:  {_line(case.first_explanation)}")
        click.echo(f"  second: {_line(case.second_explanation)}")
    if len(found.differences) > top:
        click.echo(f"and {len(found.differences) - top:,} more; --json has all")


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"


def _span(interval: Interval | None) -> str:
    return f"  ({interval.low:.3f} to {interval.high:.3f})" if interval else ""


def _line(text: str) -> str:
    """One line without what a terminal would obey: explanations quote answers."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
