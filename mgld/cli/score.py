"""`mgld subset` and `mgld score`: cut subsets, and score a dataset with any encoder."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from mgld.cli._errors import user_errors
from mgld.cli._progress import step_progress

_SHOWN_ROWS = 20


@click.command()
@click.argument("folder", metavar="DIR")
@click.option(
    "--method",
    required=True,
    type=click.Choice(["hds", "hss", "lcs", "brs"]),
    help="Highest RSR, highest Sim, both low, or random.",
)
@click.option("--size", required=True, type=click.IntRange(min=1), help="Number of records.")
@click.option("--seed", type=int, help="Of brs. Default: the build's own, 0 for a dataset.")
@click.option("--out", type=click.Path(path_type=Path), help="Write FILE.parquet or FILE.csv.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def subset(
    folder: str, method: str, size: int, seed: int | None, out: Path | None, as_json: bool
) -> None:
    """Cut a subset of any size from DIR, a build folder or a dataset; best records first.

    Prints the landmark ids, one a line, or writes them with their scores to --out. Test records are
    never part of a subset.
    """
    from mgld.scoring.output import check_suffix, write_table
    from mgld.scoring.pool import read_pool
    from mgld.scoring.sizes import config_name

    if out is not None:
        check_suffix(out)
    _no_bars_in_logs()
    table = read_pool(folder).subset(method, size, seed=seed)
    if out is not None:
        write_table(table, out)
    ids = table["landmark_id"].to_pylist()
    if as_json:
        head = {"config": config_name(method, size), "method": method, "size": size}
        body = {"landmark_ids": ids} if out is None else {"out": str(out)}
        click.echo(json.dumps(head | body))
    elif out is None:
        for landmark_id in ids:
            click.echo(landmark_id)
    else:
        click.echo(f"{config_name(method, size)}: {size} records written to {out}")


@click.command()
@click.argument("dataset")
@click.option("--encoder", help="nano, NAME:PRETRAINED of open_clip, or a checkpoint folder.")
@click.option(
    "--embeddings",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Vectors made elsewhere: an .npz with image_ids, images [M, d], name_strings, "
    "names [N, d] (unit float32).",
)
@click.option(
    "--template",
    default="{name}",
    show_default=True,
    help="Text that --encoder is given for a name.",
)
@click.option("--config", default="full", show_default=True, help="full, eval, hds25k, ...")
@click.option("--split", help="Only this split. Default: all; of eval, test.")
@click.option("--device", help="Where the encoder runs: cpu, cuda, ... Default: its own choice.")
@click.option(
    "--backend",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "cpu", "cuda", "faiss", "oracle"]),
    help="How ranks are computed; all give the same numbers.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write FILE.parquet, FILE.csv, or a folder: written as it goes, so that the same command "
    "goes on after a kill, and with an index for `mgld nearest`.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def score(
    dataset: str,
    encoder: str | None,
    embeddings: Path | None,
    template: str,
    config: str,
    split: str | None,
    device: str | None,
    backend: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Sim and RSR of DATASET, a dataset folder or a Hub id, with any encoder and without a rebuild.

    Records are always scored against all candidate names of the dataset.
    """
    if (encoder is None) == (embeddings is None):
        raise click.UsageError("give either --encoder or --embeddings")
    if embeddings is not None and template != "{name}":
        raise click.UsageError("--template is for --encoder: --embeddings holds the names' vectors")
    from mgld.scoring.output import check_suffix, is_folder, json_rows, write_table
    from mgld.scoring.rescore import rescore

    folder = out if out is not None and is_folder(out) else None
    if out is not None and folder is None:
        check_suffix(out)
    _no_bars_in_logs()
    with step_progress() as report:
        result = rescore(
            dataset,
            encoder=encoder,
            embeddings=embeddings,
            template=template,
            config=config,
            split=split,
            backend=backend,
            device=device,
            folder=folder,
            progress=report,
        )
    if out is not None and folder is None:
        write_table(result.table, out)
    if as_json:
        body = {"out": str(out)} if out else {"rows": json_rows(result.table)}
        click.echo(json.dumps({"summary": result.summary} | body, allow_nan=False))
        return
    if out is None:
        columns = ["id", "landmark_name", "status", "sim", "rank", "rsr", "margin"]
        click.echo("\t".join(columns))
        for row in result.table.slice(0, _SHOWN_ROWS).to_pylist():
            click.echo("\t".join(_cell(row[column]) for column in columns))
        if len(result.table) > _SHOWN_ROWS:
            click.echo(f"... {len(result.table) - _SHOWN_ROWS} more rows; all of them with --out")
    click.echo(_summary_line(result.summary) + (f"; written to {out}" if out else ""))


def _no_bars_in_logs() -> None:
    """Keep the bars of `datasets` (not imported yet) to terminals."""
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")


def _cell(value: object) -> str:
    """A value of the printed table."""
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _summary_line(summary: dict[str, object]) -> str:
    """One line that says what came out."""
    line = (
        f"{summary['scored']} of {summary['records']} records scored among {summary['names']} names"
        f" with {summary['encoder']}"
    )
    if summary["template"] is not None:
        line += f", names as {json.dumps(summary['template'], ensure_ascii=False)}"
    if summary["median_rsr"] is None:
        return line
    return (
        f"{line}: median RSR {summary['median_rsr']:.4f}, rank 1 for {summary['share_rank_1']:.1%}"
    )
