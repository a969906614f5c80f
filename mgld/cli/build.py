"""`mgld build`, `mgld status`, `mgld verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mgld.cli._errors import user_errors
from mgld.cli._llm_options import llm_options, take_llm_settings
from mgld.cli._workers import default_workers

if TYPE_CHECKING:
    from mgld.build import BuildConfig, BuildStatus

STAGES = (
    "catalog",
    "embeddings",
    "selection",
    "qa",
    "entities",
    "scores",
    "splits",
    "dataset",
)


def _sizes(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> list[int] | None:
    if value is None:
        return None
    try:
        return [int(size) for size in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of numbers like 250,500") from None


@click.command()
@click.option("--source", help="Folder in GLDv2's layout, or world:N for a procedural one.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Build folder.")
@click.option(
    "--encoder", help="nano, NAME:PRETRAINED or a folder.  [default: ViT-L-14-336:openai]"
)
@click.option("--device", help="Where the encoder runs: cpu, cuda, cuda:1.  [default: cpu]")
@click.option(
    "--annotator",
    help="Who writes stages 2 and 3: template (offline) or openai:MODEL.  [default: template]",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML with settings; options here override it. Without --source and --config, those that "
    "the build was made with.",
)
@click.option(
    "--stage",
    "stages",
    multiple=True,
    type=click.Choice(STAGES),
    help="Only this stage; repeatable.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes.  [default: cores, at most 8; on Ray as many as fit]",
)
@click.option(
    "--runner",
    default="local",
    show_default=True,
    help="Where shards are made: local, ray or ray://HOST:PORT (docs/cluster.md).",
)
@click.option(
    "--exchange",
    metavar="URL",
    help="On Ray, where machines that do not see --out leave files for each other: any fsspec URL.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Key of every draw.  [default: 0]")
@click.option("--sizes", callback=_sizes, help="Subset sizes, e.g. 250,500.  [default: by scale]")
@click.option("--test-size", type=click.IntRange(min=0), help="Test records.  [default: by scale]")
@llm_options(batch=True)
@click.option(
    "--ledger",
    type=click.Path(dir_okay=False),
    help="File of the model's replies.  [default: ledger.sqlite in --out]",
)
@click.option("--retry-errors", is_flag=True, help="Make annotations again that ended in an error.")
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON when done.")
@user_errors
def build(
    source: str | None,
    out: Path,
    config_file: Path | None,
    stages: tuple[str, ...],
    workers: int | None,
    runner: str,
    exchange: str | None,
    retry_errors: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Build the dataset, or bring it up to date; a killed build goes on where it was.

    \b
    mgld build --source world:500 --encoder nano --out out/small
    mgld build --source gldv2/ --out out/mgld --workers 8
    mgld build --source /shared/gldv2 --out /shared/mgld --device cuda --runner ray
    mgld build --source gldv2/ --out out/mgld --annotator openai:MODEL --max-usd 20
    """
    from mgld.build import build_dataset, build_status
    from mgld.build.progress import shown_progress

    config = _resolve(out, source, config_file, settings)
    with shown_progress() as progress:
        build_dataset(
            config,
            out,
            stages=stages or STAGES,
            workers=workers or (default_workers() if runner == "local" else None),
            runner=runner,
            exchange=exchange,
            progress=progress,
            retry_errors=retry_errors,
        )
    _show(build_status(out), as_json)


def _resolve(
    out: Path, source: str | None, config_file: Path | None, settings: dict[str, Any]
) -> BuildConfig:
    from mgld.build import load_config
    from mgld.build.config import CONFIG_FILE

    if source is None and config_file is None:
        config_file = out / CONFIG_FILE
        if not config_file.is_file():
            raise click.UsageError("give --source DIR or --source world:N (or a --config with it)")
    llm = take_llm_settings(settings)
    return load_config(config_file, {"source": source, "llm": llm or None, **settings})


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def status(folder: Path, as_json: bool) -> None:
    """Show what a build has done, what is missing, and whether every sum comes out."""
    from mgld.build import build_status

    _show(build_status(folder), as_json)


def _show(found: BuildStatus, as_json: bool) -> None:
    if as_json:
        click.echo(found.model_dump_json(indent=1))
        return
    for stage in found.stages:
        states = {"done": stage.done, "stale": stage.stale, "missing": stage.missing}
        words = [f"{number} {state}" for state, number in states.items() if number]
        if stage.waiting and words:  # some of its shards are only known when these are done
            words.append("in progress")
        elif stage.waiting:
            first = stage.stage == STAGES[0]
            words.append("not started" if first else "waiting for the stage before")
        rows = f"{stage.rows:,} rows" + (f", {stage.errors:,} errors" if stage.errors else "")
        click.echo(f"{stage.stage:<11} {', '.join(words)}; {rows}")
        for what, statuses in stage.counts.items():
            if what == "subset_of_each_method":  # named by their sizes
                numbers = ", ".join(f"{number:,}" for number in sorted(statuses.values()))
                click.echo(f"{'':<13}records in each subset: {numbers or 'no subset'}")
                continue
            parts = ", ".join(f"{number:,} {state}" for state, number in statuses.items())
            click.echo(f"{'':<13}{what}: {parts}")
    for balance in found.balances:
        parts = " + ".join(f"{number:,} {what}" for what, number in balance.parts.items())
        verdict = "balanced" if balance.balanced else "NOT BALANCED"
        click.echo(f"{balance.total:,} {balance.what} = {parts}: {verdict}")
    click.echo("complete" if found.complete else "not complete: `mgld build` goes on from here")


@click.command()
@click.argument("source", metavar="BUILD_OR_REPO")
@click.option("--rebuild", is_flag=True, help="Build it again beside it, and compare every file.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes of the rebuild.")
@click.option("--revision", help="Tag, branch or commit of a dataset on the Hub.  [default: main]")
@click.option("--download", is_flag=True, help="Read every byte of a dataset on the Hub.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def verify(
    source: str,
    rebuild: bool,
    workers: int | None,
    revision: str | None,
    download: bool,
    as_json: bool,
) -> None:
    """Check every file of a build, or of a dataset on the Hub (OWNER/NAME), against its hashes.

    A build's are those of its manifest, a published dataset's those of its SHA256SUMS; of large
    files the hash is taken that the Hub states, unless --download has them read.
    """
    from mgld.hub.load import looks_like_path

    if Path(source).is_dir() or looks_like_path(source):
        if revision is not None or download:
            raise click.UsageError(f"{source} is a build: --revision and --download are of a Hub's")
        _verify_build(Path(source), rebuild, workers or default_workers(), as_json)
    else:
        if rebuild or workers is not None:
            raise click.UsageError(
                f"{source} is on the Hub: --rebuild and --workers are of a build"
            )
        _verify_repo(source, revision or "main", download, as_json)


def _verify_build(folder: Path, rebuild: bool, workers: int, as_json: bool) -> None:
    from mgld.build import verify_build
    from mgld.build.progress import shown_progress

    with shown_progress() as progress:
        found = verify_build(folder, rebuild=rebuild, workers=workers, progress=progress)
    if as_json:
        click.echo(found.model_dump_json(indent=1))
    else:
        for file in found.bad:
            click.echo(f"{file.file}: {file.problem}")
        for note in found.notes:
            click.echo(f"note: {note}")
        click.echo(f"{found.files} files checked, {len(found.bad)} bad")
    if not found.ok:
        raise click.exceptions.Exit(1)


def _verify_repo(repo: str, revision: str, download: bool, as_json: bool) -> None:
    from mgld.hub.verify_repo import verify_repo

    found = verify_repo(
        repo, revision, download=download, note=lambda text: click.echo(text, err=True)
    )
    if as_json:
        click.echo(found.model_dump_json(indent=1))
    else:
        for file in found.bad:
            click.echo(f"{file.file}: {file.problem}")
        how = "every byte read" if download else "large files by the hash that the Hub states"
        click.echo(
            f"{repo} at {found.commit}: {found.files} files checked ({how}), {len(found.bad)} bad"
        )
    if not found.ok:
        raise click.exceptions.Exit(1)
