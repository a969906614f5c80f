"""`eeca check`."""

from __future__ import annotations

import click

from eeca_ref.cli._errors import user_errors
from eeca_ref.cli._recipe import recipe_options


@click.command()
@recipe_options
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    help="How many are to train, to see whether the batch divides among them.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def check(recipe: str, sets: tuple[str, ...], processes: int | None, as_json: bool) -> None:
    """Look at all that a recipe needs: checkpoints, tokenizer, data, batches. Nothing is trained.

    Exit code 1 where something forbids training.
    """
    from eeca_ref.cli._quiet import quiet_transformers
    from eeca_ref.recipes import load_recipe

    resolved = load_recipe(recipe, sets)
    quiet_transformers()
    from eeca_ref.checking import check as look

    checked = look(resolved, world_size=processes)
    if as_json:
        import json

        facts = {
            "recipe": resolved.name,
            "ok": checked.ok,
            "problems": checked.problems,
            "notes": checked.notes,
            "counts": checked.counts,
            "settings": checked.settings,
        }
        click.echo(json.dumps(facts, indent=1))
    else:
        click.echo(checked.text())
    if not checked.ok:
        raise click.exceptions.Exit(1)
