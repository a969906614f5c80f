"""`mgld export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mgld.cli._errors import user_errors


@click.group()
def export() -> None:
    """Graded runs in formats that others share.

    \b
    mgld export every-eval-ever runs/a --organization "Your group" --relationship third_party \\
        --out eee
    """


@export.command("every-eval-ever")
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--judge", help="Whose verdicts.  [default: the only one's]")
@click.option(
    "--organization", required=True, help="Who provides the record, as it is shown: a group."
)
@click.option(
    "--relationship",
    required=True,
    type=click.Choice(["first_party", "third_party", "collaborative", "other"]),
    help="Of whoever evaluated to the model.",
)
@click.option(
    "--model-id",
    default="",
    help="DEVELOPER/NAME, as on the Hub.  [default: the run's, where it is one]",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder in which data/mgld/DEVELOPER/MODEL/ is made, such as a checkout of the datastore.",
)
@user_errors
def every_eval_ever(run: Path, judge: str | None, out: Path, **about: Any) -> None:
    """Write a graded RUN as a record of Every Eval Ever (schema 0.3.0) with a row per question.

    Exported again, the same result replaces itself. Rows hold questions, truths and answers; no
    pictures.
    """
    from mgld.integrations.every_eval_ever.export import About, export_run

    found = export_run(run, judge, out, About.model_validate(about))
    click.echo(f"record: {found.aggregate}")
    click.echo(f"{found.rows:,} questions: {found.samples}")
