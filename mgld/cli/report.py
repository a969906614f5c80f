"""`mgld report`: the HTML report of a build, or of a graded run."""

from __future__ import annotations

from pathlib import Path

import click

from mgld.cli._errors import user_errors


@click.command()
@click.argument("folder", metavar="BUILD|RUN", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="HTML file to write.  [default: report.html in the folder]",
)
@click.option(
    "--figures",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write each figure into this folder, as SVG, PNG and CSV.",
)
@click.option("--judge", help="Of a run: whose verdicts.  [default: the only one's]")
@click.option(
    "--images",
    is_flag=True,
    help="Of a run: with small pictures out of its dataset, 32 MB at most.",
)
@user_errors
def report(
    folder: Path, out: Path | None, figures: Path | None, judge: str | None, images: bool
) -> None:
    """Render the report of a finished build, or of a run that was graded: one self-contained page.

    \b
    mgld report out/build
    mgld report runs/a --judge rule --images
    """
    from mgld.report.evaluation_read import is_run

    out = out or folder / "report.html"
    if is_run(folder):
        from mgld.report.evaluation import write_evaluation_figures, write_evaluation_report

        write_evaluation_report(folder, judge, out, images=images)
        written = write_evaluation_figures(folder, judge, figures) if figures else []
    else:
        from mgld.report import write_figures, write_report

        if judge is not None or images:
            raise click.UsageError(f"--judge and --images are for runs, and {folder} is none")
        write_report(folder, out)
        written = write_figures(folder, figures) if figures else []
    click.echo(f"report: {out}")
    for path in written:
        click.echo(f"figure: {path}")
