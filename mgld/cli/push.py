"""`mgld push`."""

from __future__ import annotations

from pathlib import Path

import click

from mgld.cli._errors import user_errors


@click.command()
@click.argument("build", type=click.Path(path_type=Path))
@click.argument("repo")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--revision-tag", "tag", help="Name this version, e.g. v1.0.0.")
@click.option(
    "--withhold-images",
    is_flag=True,
    help="Publish rows that lack a licence or an author, without their images.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def push(
    build: Path, repo: str, private: bool, tag: str | None, withhold_images: bool, as_json: bool
) -> None:
    """Publish a finished BUILD as the dataset REPO (OWNER/NAME) on the Hugging Face Hub.

    It is uploaded to a branch, loaded back from there, and only then becomes main, in one commit:
    readers see the old dataset or the new one. Killed, the same command goes on and uploads only
    what is missing. HF_TOKEN or `hf auth login` says who you are.

    \b
    mgld push out/mgld me/mgld --private --revision-tag v1.0.0
    """
    from mgld.hub.push import push_dataset

    pushed = push_dataset(
        build,
        repo,
        private=private,
        tag=tag,
        withhold_images=withhold_images,
        note=lambda text: click.echo(text, err=True),
    )
    if as_json:
        click.echo(pushed.model_dump_json(indent=1))
        return
    click.echo(
        f"{repo} is published: {pushed.files} files ({pushed.uploaded} uploaded now), "
        f"{pushed.withheld:,} images withheld, commit {pushed.commit}"
        + (f", version {tag}" if tag else "")
    )
