"""`mgld nearest`: which candidate names an image or a text is nearest to."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from mgld.cli._errors import user_errors


@click.command()
@click.argument("query", metavar="IMAGE|TEXT")
@click.argument("folder", metavar="DIR")
@click.option("--encoder", help="The one the index was made with. Default: as the index says.")
@click.option("--device", help="Where the encoder runs: cpu, cuda, ... Default: its own choice.")
@click.option(
    "-k",
    "count",
    default=10,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many names.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def nearest(
    query: str, folder: str, encoder: str | None, device: str | None, count: int, as_json: bool
) -> None:
    """The nearest names of an image file or a text among the candidates of DIR.

    DIR is a build, or a folder that `mgld score --out FOLDER` wrote. Prints a similarity and a name
    a line, best first.
    """
    from mgld.scoring.nearest import nearest_names

    answer = nearest_names(query, folder, encoder=encoder, device=device, k=count)
    if as_json:
        click.echo(json.dumps(asdict(answer)))
        return
    for near in answer.nearest:
        click.echo(f"{near.sim:.4f}\t{near.name}")
    unchecked = "" if answer.checked else "; not known to be the encoder of the index"
    click.echo(
        f"{answer.kind} among {answer.names:,} names by {answer.encoder}{unchecked}: loaded in "
        f"{answer.load_seconds:.1f} s, encoded in {1000 * answer.encode_seconds:.0f} ms, searched "
        f"in {1000 * answer.search_seconds:.1f} ms",
        err=True,
    )
