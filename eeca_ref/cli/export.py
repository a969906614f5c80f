"""`eeca export`."""

from __future__ import annotations

from pathlib import Path

import click

from eeca_ref.cli._errors import user_errors


@click.command()
@click.argument("model", metavar="DIR|HUB_ID")
@click.option(
    "--adapters",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write adapters.safetensors and the configuration into.",
)
@user_errors
def export(model: str, adapters: Path) -> None:
    """Write a model's adapters alone: what is neither vision tower nor language model.

    They are all that stage 1 trains. After stages that train the language model they are not the
    model. A training run's model itself is ready for the Hub as it is: `hf upload OWNER/NAME DIR`.
    """
    from eeca_ref.cli._quiet import quiet_transformers

    quiet_transformers()
    from eeca_ref.checkpoint import save_adapters
    from eeca_ref.model import EecaForConditionalGeneration
    from eeca_ref.under_test import model_folder

    loaded = EecaForConditionalGeneration.from_pretrained(
        model_folder(model), dtype="auto", local_files_only=True
    )
    click.echo(save_adapters(loaded, adapters))
