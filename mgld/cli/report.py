"""`mgld report`: the HTML report of a build, of a graded run, or of a probe."""

from __future__ import annotations

from pathlib import Path

import click

from mgld.cli._errors import user_errors


@click.command()
@click.argument("folder", metavar="BUILD|RUN|PROBE", type=click.Path(path_type=Path))
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
    """Render the report of a build, of a graded run or of a probe: one self-contained page.

    \b
    mgld report out/build
    mgld report runs/a --judge rule --images
    mgld report probes/a
    """
    from mgld.report.evaluation_read import is_run
    from mgld.report.probe_read import is_probe

    out = out or folder / "report.html"
    if is_run(folder):
        from mgld.report.evaluation import write_evaluation_figures, write_evaluation_report

        write_evaluation_report(folder, judge, out, images=images)
        written = write_evaluation_figures(folder, judge, figures) if figures else []
    elif judge is not None or images:
        raise click.UsageError(f"--judge and --images are for runs, and {folder} is none")
    elif is_probe(folder):
        from mgld.report.probe import write_probe_figures, write_probe_report

        write_probe_report(folder, out)
        written = write_probe_figures(folder, figures) if figures else []
    else:
        from mgld.report import write_figures, write_report

        write_report(folder, out)
        written = write_figures(folder, figures) if figures else []
    click.echo(f"report: {out}")
    for path in written:
        click.echo(f"figure: {path}")
