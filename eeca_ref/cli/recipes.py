"""`eeca recipes`: the built-in recipes."""

from __future__ import annotations

import click

from eeca_ref.cli._errors import user_errors
from eeca_ref.cli._recipe import recipe_options


@click.group(invoke_without_command=True)
@click.pass_context
def recipes(ctx: click.Context) -> None:
    """List the built-in recipes, or show one.

    A name is PRESET/NAME. Presets: paper (its Table 5), llava (LLaVA-1.5's own values), nano
    (miniatures for two CPU cores). Each row of Tables 1 to 4 and each point of Figs. 5 and 7 is a
    recipe of every preset.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@recipes.command("list")
@click.argument("preset", required=False)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def list_(preset: str | None = None, as_json: bool = False) -> None:
    """Names of the built-in recipes, of one PRESET or of all, and what they are."""
    from eeca_ref.recipes import recipe_about, recipe_names

    about = {name: recipe_about(name) for name in recipe_names(preset)}
    if as_json:
        import json

        click.echo(json.dumps(about, indent=1, ensure_ascii=False))
        return
    width = max(map(len, about))
    for name, words in about.items():
        click.echo(f"{name:{width}}  {words}")


@recipes.command()
@recipe_options
@click.option("--json", "as_json", is_flag=True, help="JSON in the place of YAML.")
@user_errors
def show(recipe: str, sets: tuple[str, ...], as_json: bool) -> None:
    """Write a recipe as it is resolved, all defaults included: a file that `eeca train` takes."""
    from eeca_ref.recipes import load_recipe

    resolved = load_recipe(recipe, sets)
    if as_json:
        click.echo(resolved.model_dump_json(indent=1))
        return
    import yaml

    settings = resolved.model_dump(mode="json")
    click.echo(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), nl=False)
