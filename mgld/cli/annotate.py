"""`mgld annotate`: a build's questions to a model through the Batch API, and their quality."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mgld.cli._errors import user_errors
from mgld.cli._workers import default_workers

if TYPE_CHECKING:
    from mgld.llm.batch import BatchState, Collected, Submitted

folder = click.argument("folder", metavar="BUILD", type=click.Path(path_type=Path))
workers = click.option(
    "--workers", type=click.IntRange(min=1), help="Processes.  [default: cores, at most 8]"
)


@click.group()
def annotate() -> None:
    """Ask a model in batches: half the price, within a day. And see how good annotations are.

    BUILD is a build folder with its stages up to selection. Model, endpoint and budget are those
    that `mgld build --annotator openai:MODEL` was given; the key is read from the environment.

    \b
    mgld build --source gldv2/ --out B --annotator openai:MODEL --max-usd 20 \\
        --stage catalog --stage embeddings --stage selection
    mgld plan B               what it will cost
    mgld annotate run B       submits, waits and collects, both stages; or by hand,
    mgld annotate submit B    for each of the two stages:
    mgld annotate collect B   when its batches have ended
    mgld build --out B        the stages after them
    mgld annotate report B    quality of the annotations, also without a model
    """


@annotate.command()
@folder
@user_errors
def submit(folder: Path) -> None:
    """Submit what has no reply yet of the next stage: qa, then entities."""
    from mgld.build.batching import submit_stage

    stage, sent = submit_stage(folder, tell=click.echo)
    if stage is None:
        _say_complete(folder)
        return
    for line in _submitted_lines(stage, sent):
        click.echo(line)
    if sent.over_budget and not (sent.batches or sent.waiting):
        raise click.ClickException(
            f"{sent.over_budget:,} requests could cost more than is left of --max-usd; "
            f"`mgld plan {folder}` shows what they will cost"
        )
    click.echo(
        f"next: `mgld annotate poll {folder}` looks at the batches, `mgld annotate collect "
        f"{folder}` takes the replies in"
    )


@annotate.command()
@folder
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def poll(folder: Path, as_json: bool) -> None:
    """Show the batches of a build, oldest first, and how far they are."""
    from mgld.build.batching import poll_build

    states = poll_build(folder)
    if as_json:
        import json

        click.echo(json.dumps([state.model_dump() for state in states], indent=1))
        return
    for state in states:
        click.echo(_state_line(state))
    running = sum(state.state != "ended" for state in states)
    ready = sum(_ready(state) for state in states)
    click.echo(f"{_batches(len(states))}, {running:,} not collected, {ready:,} of them have ended")
    if ready:
        click.echo(f"next: `mgld annotate collect {folder}`")


@annotate.command()
@folder
@workers
@user_errors
def collect(folder: Path, workers: int | None) -> None:
    """Take in the replies of batches that have ended; once all are there, make the stage."""
    from mgld.build.batching import collect_stage
    from mgld.build.progress import shown_progress

    with shown_progress() as progress:
        found = collect_stage(
            folder,
            workers=workers or default_workers(),
            progress=progress,
            tell=progress.note,
        )
    for line in _collected_lines(found.collected):
        click.echo(line)
    if found.collected.refused:
        raise click.ClickException("\n".join(f"refused: {why}" for why in found.collected.refused))
    if found.made:
        click.echo(f"stage {found.stage} is made")
    if found.next_stage is None:
        _say_complete(folder)
    elif found.made:
        click.echo(f"next: `mgld annotate submit {folder}` for stage {found.next_stage}")
    else:
        click.echo(f"{found.left:,} of {found.requests:,} replies of {found.stage} are missing")
        if found.collected.running:
            click.echo(f"next: `mgld annotate collect {folder}` again, when more have ended")
        else:
            click.echo(f"next: `mgld annotate submit {folder}` submits them")


@annotate.command()
@folder
@workers
@click.option(
    "--poll-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Between two looks at the batches.",
)
@user_errors
def run(folder: Path, workers: int | None, poll_seconds: float) -> None:
    """Submit, wait, collect and make both stages; can be stopped and made again."""
    from mgld.build.batching import run_stages
    from mgld.build.progress import shown_progress

    try:
        with shown_progress() as progress:
            run_stages(
                folder,
                workers=workers or default_workers(),
                progress=progress,
                poll_seconds=poll_seconds,
            )
    except KeyboardInterrupt:
        raise click.ClickException(
            "stopped; what was submitted runs on at the endpoint, the same command goes on"
        ) from None
    _say_complete(folder)


@annotate.command()
@folder
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="HTML file to write.  [default: BUILD/annotations.html]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@user_errors
def report(folder: Path, out: Path | None, as_json: bool) -> None:
    """Show how good a build's annotations are, whoever made them; a page to leaf through them."""
    from mgld.cli._quality_text import quality_lines
    from mgld.report.annotations import write_annotations

    out = out or folder / "annotations.html"
    found = write_annotations(folder, out)
    if as_json:
        click.echo(found.model_dump_json(indent=1))
        return
    for line in quality_lines(found):
        click.echo(line)
    click.echo(f"page: {out}")


def _say_complete(folder: Path) -> None:
    click.echo("stages qa and entities are complete")
    click.echo(f"next: `mgld build --out {folder}` makes the stages after them")


def _submitted_lines(stage: str, sent: Submitted) -> list[str]:
    said = f"{stage}: {_batches(sent.batches)} submitted with {sent.sent:,} requests"
    if sent.batches:
        said += f", {sent.bytes / 1e6:,.1f} MB, "
        most = sent.most_usd
        said += "of unknown price" if most is None else f"at most ${most:,.2f}"
    lines = [said]
    for number, what in (
        (sent.before, "have a reply already"),
        (sent.waiting, "are on their way already"),
        (sent.unsendable, "have an image that cannot be read: an error is their reply"),
        (sent.over_budget, "are left for later: they could pass --max-usd"),
        (sent.no_room, "are left for later: the endpoint's queue is full"),
    ):
        if number:
            lines.append(f"{number:,} {what}")
    return lines


def _collected_lines(found: Collected) -> list[str]:
    said = f"{_batches(found.ended)} had ended, {found.running:,} still running; "
    said += f"{found.replies:,} replies stored, ${found.usd:,.4f}"
    lines = [said]
    for number, what in (
        (found.errors, "of them are errors"),
        (found.released, "requests got no reply and will be submitted again"),
        (found.missing, "requests were missing from the results"),
        (found.unknown, "lines of the results belong to no request"),
        (found.duplicate, "lines of the results repeat another"),
        (found.broken, "lines of the results cannot be read"),
    ):
        if number:
            lines.append(f"{number:,} {what}")
    return lines + found.notes


def _state_line(state: BatchState) -> str:
    hours = state.age_seconds / 3600
    progress = f"{state.completed:,}/{state.requests:,} done"
    progress += f", {state.failed:,} failed" if state.failed else ""
    if state.state == "ended":
        progress = f"{state.requests:,} requests, collected"
    status = state.status or {"creating": "not confirmed", "intended": "not sent"}.get(
        state.state, state.state
    )
    words = [state.batch_id or "(no id yet)", status, progress, f"{hours:,.1f} h"]
    note = state.note if state.note != state.status else ""
    return "  ".join(words + ([note] if note else []))


def _batches(number: int) -> str:
    return f"{number:,} batch" if number == 1 else f"{number:,} batches"


def _ready(state: BatchState) -> bool:
    from mgld.llm.batch_endpoint import ENDED

    return state.state == "submitted" and state.status in ENDED
