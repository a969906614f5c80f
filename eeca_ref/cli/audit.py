"""`eeca audit`."""

from __future__ import annotations

from pathlib import Path

import click

from eeca_ref.cli._errors import user_errors
from eeca_ref.cli._recipe import recipe_options


@click.command()
@recipe_options
@click.option(
    "--out",
    default=Path("audit.html"),
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="HTML file to write.",
)
@click.option(
    "--samples", default=8, show_default=True, type=click.IntRange(min=1), help="Rows shown."
)
@user_errors
def audit(recipe: str, sets: tuple[str, ...], out: Path, samples: int) -> None:
    """Show what a recipe trains on: one self-contained page.

    For some samples: what is supervised, token by token, the views of the image that the model
    gets, the entities, and where on the image their weights lie. Of all rows: counts.

    \b
    eeca audit nano/stage3_eeca --out audit.html
    eeca audit my.yaml --set model.start=out/eeca/model --set "model.new=[]" --samples 20
    """
    from eeca_ref.cli._quiet import quiet_transformers
    from eeca_ref.recipes import load_recipe

    resolved = load_recipe(recipe, sets)
    quiet_transformers()
    from eeca_ref.audit import audit as gather
    from eeca_ref.audit_page import write_audit

    write_audit(gather(resolved, samples=samples), out)
    click.echo(f"audit: {out}")
