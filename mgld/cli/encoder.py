"""`mgld encoder`: inspect, fetch and export vision encoders."""

from __future__ import annotations

import click

from mgld.cli._errors import user_errors


@click.group()
def encoder() -> None:
    """Inspect, fetch and export vision encoders.

    SPEC is `nano` (embedded), NAME:PRETRAINED as open_clip names them (ViT-L-14-336:openai), or a
    checkpoint folder.
    """


@encoder.command()
@click.argument("spec")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def info(spec: str, as_json: bool) -> None:
    """Show dimension, dtype, context, fingerprint."""
    import json

    from mgld.vision import load_encoder

    loaded = load_encoder(spec, device="cpu")
    facts = {
        "spec": loaded.spec,
        "embed_dim": loaded.embed_dim,
        "dtype": loaded.dtype,
        "parameters": loaded.parameters,
        "image_size": list(loaded.preprocess_cfg["size"]),
        "context_length": loaded.tokenizer.context_length,
        "weights": str(loaded.resolved.weights),
        "fingerprint": loaded.fingerprint,
    }
    if as_json:
        click.echo(json.dumps(facts))
    else:
        for key, value in facts.items():
            click.echo(f"{key:<16}{value}")


@encoder.command()
@click.argument("spec")
@user_errors
def fetch(spec: str) -> None:
    """Download NAME:PRETRAINED into open_clip's own cache."""
    from mgld.vision.fetch import fetch as download

    click.echo(f"{spec}: {download(spec)}")


@encoder.command()
@click.argument("spec")
@click.argument("directory", type=click.Path(file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def export(spec: str, directory: str, as_json: bool) -> None:
    """Write an encoder as a transformers checkpoint.

    The folder appears only if images and names come out equal, to 1e-4, through both libraries.
    """
    import contextlib
    import sys

    from mgld.vision.export import export_transformers

    # transformers imports DeepSpeed where it is installed, which logs to the standard output.
    with contextlib.redirect_stdout(sys.stderr):
        from transformers.utils import logging

        logging.disable_progress_bar()
        report = export_transformers(spec, directory)
    click.echo(report.to_json() if as_json else f"{directory}\n{report}")
