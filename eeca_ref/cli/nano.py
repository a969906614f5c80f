"""`eeca nano`."""

from __future__ import annotations

from pathlib import Path

import click

from eeca_ref.cli._errors import user_errors


@click.command()
@click.argument("build", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--out",
    default=Path("out/nano/parts"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to make; the recipes of preset nano read the default.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option(
    "--language-model",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with another model than the one in the package.",
)
@user_errors
def nano(build: Path, out: Path, seed: int, language_model: Path | None) -> None:
    """Prepare what the preset `nano` trains on, from a build of a procedural world.

    A CLIP checkpoint (the build's encoder), the nano language model (it has read of the first
    4,800 landmarks of world 0), captions for stage 1 and questions for stage 2. Nothing is
    downloaded.

    \b
    mgld world out/nano/world --landmarks 4800
    mgld build --source out/nano/world --out out/nano/build --encoder nano \\
        --test-size 1200 --sizes 300,600,900,1200,1500
    eeca nano out/nano/build
    """
    from eeca_ref.cli._quiet import quiet_transformers

    quiet_transformers()
    from eeca_ref.nano import prepare

    prepare(build, out, seed, language_model=language_model, note=click.echo)
