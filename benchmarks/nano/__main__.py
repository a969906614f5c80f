"""The paper in miniature: made, asked, reported and checked.

    python -m benchmarks.nano run --table 1 --table 3 --seeds 5
    python -m benchmarks.nano probe
    python -m benchmarks.nano validate table2_eeca --set model.settings.mu_e=0.5
    python -m benchmarks.nano figures
    python -m benchmarks.nano report
    python -m benchmarks.nano check        # make nano

`run` makes rows that are not recorded yet in `benchmarks/nano/results`, from nothing if need be:
world, build, parts and baselines are made in `out/nano` first. `report` writes `RESULTS.md` and its
figures from the records; `figures` draws those that need the build's pictures and vectors. `probe`
is the paper's Figure 1 as a rate. `validate` tries settings on the validation set. `check` makes
one row of Table 1 and one of Table 3 again, with their baseline, and compares them with the
recorded ones.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.nano.plan import HEADLINE, PARTS, Row, rows

ROOT = Path("out/nano")
PARTS_BY_NAME = {part.removeprefix("table"): part for part in PARTS}


@click.group()
def main() -> None:
    """The paper in miniature."""


@main.command()
@click.option(
    "--table",
    "tables",
    multiple=True,
    type=click.Choice(list(PARTS_BY_NAME)),
    help="A table or figure of the paper, the swap control, or subsets by another rule; may be "
    "given several times.  [default: 1 and 3]",
)
@click.option("--seeds", type=click.IntRange(min=1), help="[default: 5 for Tables 1 and 3, else 3]")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True)
def run(tables: tuple[str, ...], seeds: int | None, device: str, workers: int) -> None:
    """Make the rows of tables and figures that are not recorded yet."""
    from benchmarks.nano.run import run as run_rows

    parts = tuple(PARTS_BY_NAME[each] for each in tables) or HEADLINE
    try:
        records = run_rows(ROOT, parts, seeds=seeds, device=device, workers=workers)
    except RuntimeError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    click.echo(f"{len(records)} rows recorded; next: python -m benchmarks.nano report")


@main.command()
@click.option(
    "--row",
    "names",
    multiple=True,
    default=("baseline", "table2_eeca"),
    show_default=True,
    help="A row whose model is probed; may be given several times.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def probe(names: tuple[str, ...], seed: int, device: str) -> None:
    """Ask models that `run` has made what they can tell of names and see in pictures."""
    from benchmarks.nano.machine import settle
    from benchmarks.nano.place import Place
    from benchmarks.nano.probing import probe_row

    settle(device)
    for row in _planned(names):
        try:
            click.echo(probe_row(Place(ROOT), row, seed, device=device))
        except RuntimeError as error:
            raise click.ClickException(str(error)) from None


@main.command()
@click.argument("row")
@click.option("--set", "sets", multiple=True, help="KEY=VALUE of the row's recipe; repeatable.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def validate(row: str, sets: tuple[str, ...], seed: int, device: str) -> None:
    """Train a row with settings of one's own, and say what it knows of the validation set."""
    from benchmarks.nano.machine import settle
    from benchmarks.nano.place import Place
    from benchmarks.nano.report.page_sections import validation_line
    from benchmarks.nano.validating import validate as validate_row

    settle(device)
    try:
        record = validate_row(Place(ROOT), _planned([row])[0], seed, sets, device=device)
    except (RuntimeError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(" | ".join(validation_line(record)))


@main.command()
def figures() -> None:
    """Draw what needs the build and the answers themselves, beside RESULTS.md."""
    from benchmarks.nano.drawing import draw
    from benchmarks.nano.place import Place

    try:
        for path in draw(Place(ROOT)):
            click.echo(path)
    except FileNotFoundError as error:
        raise click.ClickException(f"{error}: run Table 1 first") from None


@main.command()
def report() -> None:
    """Write RESULTS.md and its figures from what is recorded."""
    from benchmarks.nano.report.page_conclusions import headline
    from benchmarks.nano.report.write import OUT, write_report

    click.echo(headline(write_report()))
    click.echo(f"{OUT}, with conclusions.json and figures beside it")


@main.command()
def check() -> None:
    """Make one row of Table 1 and one of Table 3 again, and compare them with the records."""
    from benchmarks.nano.check import check as check_rows

    sys.exit(0 if check_rows(ROOT) else 1)


def _planned(names: Sequence[str]) -> list[Row]:
    """The rows of these names."""
    every = {row.name: row for row in rows()}
    if unknown := [name for name in names if name not in every]:
        raise click.UsageError(f"no such row: {', '.join(unknown)}; rows: {', '.join(every)}")
    return [every[name] for name in names]


if __name__ == "__main__":
    main()
