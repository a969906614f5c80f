"""`mgld figures`: every figure of a build, a graded run or a probe, as files."""

from __future__ import annotations

from pathlib import Path

import click

from mgld.cli._errors import user_errors


@click.command()
@click.argument("folder", metavar="BUILD|RUN|PROBE", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write into.",
)
@click.option("--judge", help="Of a run: whose verdicts.  [default: the only one's]")
@user_errors
def figures(folder: Path, out: Path, judge: str | None) -> None:
    """Draw every figure that a folder supports, as SVG, PNG and CSV; say what others need.

    \b
    mgld figures out/build --out out/figures
    mgld figures runs/a --judge rule --out out/figures
    """
    from mgld.report.evaluation_read import is_run
    from mgld.report.figure_files import NotDrawn, draw_folder

    if judge is not None and not is_run(folder):
        raise click.UsageError(f"--judge is for runs, and {folder} is none")
    lacking = []
    for each in draw_folder(folder, judge):
        if isinstance(each, NotDrawn):
            lacking.append(each)
            continue
        for path in each.save(out):
            click.echo(f"figure: {path}")
    for one in lacking:
        click.echo(f"not drawn: {one.name} needs {one.needs}")
