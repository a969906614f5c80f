"""`mgld world`: write a procedural stand-in for Google Landmarks v2."""

from __future__ import annotations

from pathlib import Path

import click

from mgld.cli._errors import user_errors


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--landmarks", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Chooses the landmarks.")
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True)
@user_errors
def world(out: Path, landmarks: int, seed: int, workers: int) -> None:
    """Write a world of drawn landmarks to OUT in GLDv2's own layout, with its ground truth."""
    from tqdm import tqdm

    from mgld.world import write_world

    with tqdm(desc="drawing", unit="img", disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        write_world(out, landmarks=landmarks, seed=seed, workers=workers, progress=progress)
    click.echo(f"{landmarks} landmarks in {out}; build them with: mgld build --source {out}")
