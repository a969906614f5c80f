"""`eeca train`."""

from __future__ import annotations

from pathlib import Path

import click

from eeca_ref.cli._errors import user_errors
from eeca_ref.cli._recipe import recipe_options


@click.command()
@recipe_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run.  [default: out/ and the recipe's name]",
)
@click.option("--fresh", is_flag=True, help="Refuse a folder that holds a run already.")
@user_errors
def train(recipe: str, sets: tuple[str, ...], out: Path | None, fresh: bool) -> None:
    """Train by a recipe: a built-in one (`eeca recipes`), or a YAML file.

    \b
    eeca train nano/stage1_pretrain
    eeca train my.yaml --set optim.lr=1e-4 --out runs/a
    torchrun --nproc_per_node 8 -m eeca_ref train paper/stage3_eeca
    deepspeed --module eeca_ref train paper/stage3_eeca

    The same call goes on where a killed run was, at its newest checkpoint.
    """
    from eeca_ref.cli._quiet import quiet_transformers
    from eeca_ref.cli._ranks import only_main_speaks, rank
    from eeca_ref.libraries import require_libraries
    from eeca_ref.recipes import load_recipe

    resolved = load_recipe(recipe, sets)
    folder = out or Path("out") / resolved.name
    require_libraries(resolved)
    quiet_transformers()
    from eeca_ref.training.run import train as run

    with only_main_speaks():
        result = run(resolved, folder, resume=not fresh)
    if rank() > 0:
        return
    if result.done_before:
        click.echo(f"{folder} is a finished run; nothing was done")
    click.echo(f"model: {result.model}")
    for name, value in (result.validation or {}).items():
        click.echo(f"validation {name}: {value:.4f}")
    click.echo(f"next: `mgld answer --model eeca:{folder} --data DATA --out RUN`")
