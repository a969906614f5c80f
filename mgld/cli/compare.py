"""`mgld compare`."""

from __future__ import annotations

from pathlib import Path

import click

from mgld.cli._errors import user_errors


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--judge", help="Whose verdicts, e.g. rule.  [default: the one all runs have]")
@click.option("--common", is_flag=True, help="Compare on the questions that all runs have.")
@click.option(
    "--top",
    default=10,
    show_default=True,
    type=click.IntRange(min=0),
    help="Changed questions to list for each pair; --json has all.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def compare(
    runs: tuple[Path, ...], judge: str | None, common: bool, top: int, as_json: bool
) -> None:
    """Compare the RUNS of two or more models: folders with questions and one judge's verdicts.

    Refused where judges, their prompts or the questions are not the same. p-values are exact,
    questions about one landmark staying together, and adjusted for the number of pairs (Holm).

    \b
    mgld compare out/run-a out/run-b --judge rule
    """
    if len(runs) < 2:
        raise click.UsageError("give two runs or more")
    from mgld.cli._compare_text import show_comparison
    from mgld.evaluate.compare import compare_runs
    from mgld.evaluate.graded import read_graded

    found = compare_runs(read_graded(runs, judge), common=common)
    if as_json:
        click.echo(found.model_dump_json(indent=1))
    else:
        show_comparison(found, top)
