"""`mgld fetch`: download Google Landmarks v2."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from mgld.cli._errors import user_errors


def _tars(_: click.Context, __: click.Parameter, text: str | None) -> list[int]:
    from mgld.gldv2.fetch import parse_tars

    try:
        return parse_tars(text) if text is not None else []
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--metadata/--no-metadata", default=True, show_default=True, help="The four CSV tables."
)
@click.option(
    "--tars", callback=_tars, metavar="LIST", help="Image archives of about 1 GB, e.g. 0-3,7."
)
@click.option(
    "--base-url",
    default="https://s3.amazonaws.com/google-landmark",
    show_default=True,
    help="Where GLDv2 lies; a mirror must have the same layout.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 32),
    default=4,
    show_default=True,
    help="Files at a time.",
)
@user_errors
def fetch(out: Path, metadata: bool, tars: list[int], base_url: str, jobs: int) -> None:
    """Download Google Landmarks v2 into OUT, in its own layout.

    Without --tars only the metadata (about 1.5 GB). Archives are checked against their published
    md5. Run the same command again after any interruption: it goes on where it stopped.
    """
    from mgld.gldv2.fetch import fetch as run
    from mgld.gldv2.progress import terminal_progress

    if not metadata and not tars:
        raise click.UsageError("nothing to fetch: choose archives with --tars, or --metadata")
    with terminal_progress() as progress:
        results = run(
            out, base_url=base_url, metadata=metadata, tars=tars, jobs=jobs, progress=progress
        )
    counts = Counter(result.status for result in results)
    click.echo(
        f"{len(results)} files in {out}: {counts['downloaded']} downloaded, "
        f"{counts['present']} already there, {counts['not_published']} not published, "
        f"{counts['failed']} failed"
    )
    failed = [result for result in results if result.status == "failed"]
    if failed:
        for result in failed:
            path = "" if result.reason.startswith(result.path) else f"{result.path}: "
            click.echo(f"  {path}{result.reason}", err=True)
        raise click.ClickException("run the same command again: it goes on where it stopped")
