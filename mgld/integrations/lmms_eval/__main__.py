"""`python -m mgld.integrations.lmms_eval`: where the task is, and its answers as a file."""

from __future__ import annotations

from pathlib import Path

import click

from mgld.cli._errors import user_errors


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Print the folder for lmms-eval's --include_path.

    \b
    MGLD_REPO=OWNER/DATASET lmms-eval --model ... --tasks mgld --log_samples --output_path out \\
        --include_path "$(python -m mgld.integrations.lmms_eval)"
    """
    if context.invoked_subcommand is None:
        if Path("mgld").is_dir():
            click.echo(
                "Warning: lmms-eval takes `--tasks mgld` for the folder mgld that is here, and "
                "finds no task: run it in another folder",
                err=True,
            )
        click.echo(Path(__file__).with_name("tasks"))


@main.command()
@click.argument("samples", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@user_errors
def answers(samples: Path, out: Path) -> None:
    """Write the answers in SAMPLES, an lmms-eval *_samples_mgld.jsonl, to OUT.

    \b
    mgld answer --model file:OUT --data DATA --out runs/a
    mgld grade runs/a --judge JUDGE
    """
    from mgld.integrations.lmms_eval.samples import export_answers

    found = export_answers(samples, out)
    failed = f", {found.errors:,} of them failed" if found.errors else ""
    click.echo(f"{found.questions:,} questions, {found.draws:,} draws{failed}: {out}")


if __name__ == "__main__":
    main(prog_name="python -m mgld.integrations.lmms_eval")
