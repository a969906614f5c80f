"""`mgld submit`: make, check and hand in what the leaderboard shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mgld.cli._errors import user_errors
from mgld.cli._judge_options import judge_of, judge_options

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
    mgld submit push bundle --to OWNER/SUBMISSIONS
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
@click.option("--model-revision", default="", help="Its commit, tag or dated snapshot; no branch.")
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


@submit.command()
@click.argument("bundle", type=_PATH)
@click.option("--data", required=True, help="The dataset: a build or dataset folder or a Hub id.")
@click.option("--revision", help="Of a Hub id: a tag or commit.")
@judge_options
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    help="Judge only so many questions again.  [default: all]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="What draws the sample.  [default: drawn now, and shown]",
)
@click.option(
    "--records",
    type=click.Path(path_type=Path, file_okay=False),
    help="The board's folder: answers that it has already are found.",
)
@click.option("--accept", "to_accept", is_flag=True, help="Write the entry into --records.")
@_JSON
@user_errors
def verify(
    bundle: Path,
    data: str,
    revision: str | None,
    spec: str,
    ledger: Path,
    no_temperature: bool,
    sample: int | None,
    seed: int | None,
    records: Path | None,
    to_accept: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Check a BUNDLE against the dataset and have its answers judged again: for maintainers.

    Exit code 1 where anything refuses it; nothing is recorded then.
    """
    import secrets

    from mgld.build.progress import shown_progress
    from mgld.leaderboard.verify import accept, verify_bundle

    if to_accept and records is None:
        raise click.UsageError("--accept needs --records")
    if seed is None:  # a submitter who knew it could know which questions are looked at
        seed = secrets.randbelow(1 << 31)
    judge = judge_of(spec, ledger, no_temperature, options)
    with shown_progress() as progress:
        verified = verify_bundle(
            bundle,
            data,
            judge,
            revision=revision,
            sample=sample,
            seed=seed,
            records=records,
            on_start=lambda total: progress.start("judge", total, total, "questions"),
            on_verdicts=progress.rows,
        )
        outcome = verified.rejudged
        if outcome is not None:
            progress.end()
    if outcome is not None and not as_json:
        click.echo(
            f"{outcome.questions:,} of {outcome.total:,} questions judged again by {outcome.judge} "
            f"(seed {outcome.seed}): {outcome.same:,} levels are the same"
        )
    if to_accept and records is not None and not verified.validated.findings.failed:
        path = accept(verified, records)
        click.echo(f"recorded: {path}", err=as_json)
    _show(verified.validated.checked(), as_json)


@submit.command()
@click.argument("bundle", type=_PATH)
@click.option("--to", "repo", required=True, help="The dataset repository of submissions.")
@click.option(
    "--dataset", help="Hub id that the result is about.  [default: the one that was asked]"
)
@_JSON
@user_errors
def push(bundle: Path, repo: str, dataset: str | None, as_json: bool) -> None:
    """Hand a BUNDLE in: a pull request on the Hub, with your token (`hf auth login`, HF_TOKEN).

    Where it states the model's repository, a second pull request there writes the result into
    .eval_results/mgld.yaml. What was opened before is found and not opened again.
    """
    from mgld.leaderboard.push import push_bundle

    pushed = push_bundle(
        bundle, repo, dataset=dataset, note=lambda text: click.echo(text, err=True)
    )
    if as_json:
        click.echo(pushed.model_dump_json(indent=1))
        return
    click.echo(f"submission: {pushed.submission}")
    click.echo(f"result: {pushed.result or f'not written: {pushed.why_not}'}")


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
