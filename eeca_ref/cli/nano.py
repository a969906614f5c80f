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
@user_errors
def nano(build: Path, out: Path, seed: int) -> None:
    """Prepare what the preset `nano` trains on, from a build of a procedural world.

    A CLIP checkpoint (the build's encoder), a small random Llama with its own tokenizer, captions
    for stage 1 and questions for stage 2. Nothing is downloaded.

    \b
    mgld world out/nano/world --landmarks 600
    mgld build --source out/nano/world --out out/nano/build --encoder nano
    eeca nano out/nano/build
    """
    from eeca_ref.cli._quiet import quiet_transformers

    quiet_transformers()
    from eeca_ref.nano import prepare

    prepare(build, out, seed, note=click.echo)
