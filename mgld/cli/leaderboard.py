"""`mgld leaderboard`: the accepted submissions as a site."""

from __future__ import annotations

from pathlib import Path

import click

from mgld.cli._errors import user_errors


@click.group()
def leaderboard() -> None:
    """Show the accepted submissions.

    \b
    mgld leaderboard build --out out/site
    """


@leaderboard.command()
@click.option(
    "--records",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("benchmarks/leaderboard"),
    show_default=True,
    help="The board's folder, which `mgld submit verify --accept` writes to.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to make; a former site there is replaced in one step.",
)
@click.option(
    "--bundles-url",
    default="",
    help="Where the bundles lie, each as /NAME-ID: https://.../tree/main/submissions",
)
@user_errors
def build(records: Path, out: Path, bundles_url: str) -> None:
    """Write the leaderboard as static pages, which work from a disk and as a Hugging Face Space."""
    from mgld.build.progress import shown_progress
    from mgld.leaderboard.site import build_site

    with shown_progress() as progress:
        number = build_site(
            records,
            out,
            bundles_url=bundles_url,
            on_start=lambda total: progress.start("site", total, total, "submissions"),
            on_page=progress.rows,
        )
        progress.end()
    click.echo(f"site of {number:,} submission{'s' * (number != 1)}: {out / 'index.html'}")
