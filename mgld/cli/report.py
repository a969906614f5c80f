"""`mgld report`: the HTML report of a build."""

from __future__ import annotations

from pathlib import Path

import click

from mgld.cli._errors import user_errors


@click.command()
@click.argument("build", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="HTML file to write.  [default: BUILD/report.html]",
)
@click.option(
    "--figures",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write each figure into this folder, as SVG, PNG and CSV.",
)
@user_errors
def report(build: Path, out: Path | None, figures: Path | None) -> None:
    """Render the report of the finished build in the folder BUILD: one self-contained page."""
    from mgld.report import write_figures, write_report

    out = out or build / "report.html"
    write_report(build, out)
    click.echo(f"report: {out}")
    if figures is not None:
        for path in write_figures(build, figures):
            click.echo(f"figure: {path}")
