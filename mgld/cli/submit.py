"""`mgld submit`: make, check and hand in what the leaderboard shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mgld.cli._errors import user_errors

if TYPE_CHECKING:
    from mgld.leaderboard.findings import Checked

_PATH = click.Path(path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


@click.group()
def submit() -> None:
    """Make, check and hand in leaderboard submissions.

    \b
    mgld submit prepare runs/a --judge rule --submitter "Ada" --out bundle
    mgld submit validate bundle
    mgld submit verify bundle --data OWNER/NAME --judge rule
    """


@submit.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--judge", required=True, help="Whose verdicts, as given to `mgld grade`.")
@click.option(
    "--out", required=True, type=_PATH, help="Folder to make, or a zip where it ends in .zip."
)
@click.option("--submitter", required=True, help="Who answers for it: a person or a group.")
@click.option("--name", default="", help="How the board calls it.  [default: the model's id]")
@click.option("--model-repo", default="", help="The model on the Hub: OWNER/NAME.")
@click.option("--model-revision", default="", help="Its commit, tag or dated snapshot.")
@click.option("--url", default="", help="A page about it: https://...")
@click.option("--notes", default="", help="One line that readers should know.")
@_JSON
@user_errors
def prepare(run: Path, judge: str, out: Path, as_json: bool, **about: str) -> None:
    """Put a graded RUN into a bundle: answers, verdicts, manifest, metrics and hashes.

    It is checked as by `mgld submit validate`; where anything refuses it, nothing is written.
    """
    from mgld.leaderboard.prepare import About, prepare_bundle

    checked = prepare_bundle(run, judge, out, About(**about)).checked()
    _show(checked, as_json)
    if not as_json:
        click.echo(f"{out}: submission {checked.bundle[:12]}")


@submit.command()
@click.argument("bundle", type=_PATH)
@_JSON
@user_errors
def validate(bundle: Path, as_json: bool) -> None:
    """Check a BUNDLE (a folder or a zip) by itself: nothing else is read, nothing is sent.

    Exit code 1 where anything refuses it.
    """
    from mgld.leaderboard.validate import validate_bundle

    _show(validate_bundle(bundle).checked(), as_json)


def _show(checked: Checked, as_json: bool) -> None:
    if as_json:
        click.echo(checked.model_dump_json(indent=1))
    else:
        for line in checked.lines():
            click.echo(line)
        if checked.headline:
            click.echo(checked.headline)
    if checked.errors:
        click.get_current_context().exit(1)
