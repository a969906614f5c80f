"""A comparison of runs in words: tables on a terminal, plain lines everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mgld.evaluate.compare import Comparison, Effect, Pair, RunResult
    from mgld.evaluate.intervals import Interval

_RUNS: tuple[str, ...] = (
    "run",
    "accuracy",
    "95 % interval",
    "strongly known",
    "known",
    "weakly unknown",
)
_RUNS += ("unknown", "unscored")
_PAIRS: tuple[str, ...] = (
    "second - first",
    "questions",
    "accuracy",
    "95 % interval",
    "p",
    "only first / second",
)
_PAIRS += ("level score", "95 % interval", "p")


def show_comparison(found: Comparison, top: int) -> None:
    """Print each run, each pair, and the `top` largest changes of each pair."""
    click.echo(
        f"{found.questions:,} questions, judged by {found.judge} (prompt {found.prompt_hash})"
    )
    _rows("runs", _RUNS, [_run(run) for run in found.runs])
    _rows("pairs", _PAIRS, [_pair(pair) for pair in found.pairs])
    for run in found.runs:
        if run.left_out:
            click.echo(f"left out: {run.left_out:,} questions of {run.name}, not common to all")
    for pair in found.pairs:
        if pair.unscored:
            click.echo(f"not in {_title(pair)}: {pair.unscored:,} questions unscored in either")
        if pair.landmarks < pair.questions:
            click.echo(
                f"{_title(pair)}: {pair.landmarks:,} landmarks; questions about one stay together"
            )
    if len(found.pairs) > 1:
        click.echo(f"p is adjusted for {len(found.pairs)} pairs (Holm)")
    for pair in found.pairs:
        _changes(pair, top)


def _run(run: RunResult) -> list[str]:
    metrics = run.metrics
    shares = [_percent(share) for share in metrics.shares.values()]
    unscored = f"{metrics.unscored:,}"
    if metrics.unscored:
        unscored += f" (accuracy {_percent(metrics.worst)} to {_percent(metrics.best)})"
    accuracy = f"{_percent(metrics.accuracy)} ({metrics.recognised:,}/{metrics.scored:,})"
    return [run.name, accuracy, _range(metrics.accuracy_interval, 100), *shares, unscored]


def _pair(pair: Pair) -> list[str]:
    return [
        _title(pair),
        f"{pair.questions:,}",
        *_effect(pair.recognised, 100),
        f"{pair.only_first:,} / {pair.only_second:,}",
        *_effect(pair.level, 1),
    ]


def _effect(effect: Effect | None, scale: int) -> tuple[str, str, str]:
    if effect is None:
        return "-", "-", "-"
    unit = " points" if scale == 100 else ""
    difference = f"{scale * effect.difference:+.2f}{unit}"
    return difference, _range(effect.interval, scale), _p_value(effect.p_holm)


def _range(interval: Interval | None, scale: int) -> str:
    if interval is None:
        return "-"
    return f"{scale * interval.low:.2f} to {scale * interval.high:.2f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def _p_value(p: float) -> str:
    return "<0.0001" if p < 1e-4 else f"{p:.4f}"


def _title(pair: Pair) -> str:
    return f"{pair.second} - {pair.first}"


def _rows(title: str, header: Sequence[str], rows: list[list[str]]) -> None:
    """A table on a terminal; else a line for each row that names each of its cells."""
    if not sys.stdout.isatty():
        for row in rows:
            cells = [f"{name} {cell}" for name, cell in zip(header[1:], row[1:], strict=True)]
            click.echo(f"{row[0]}: {'; '.join(cells)}")
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for row_number, name in enumerate(header):
        table.add_column(name, justify="right" if row_number else "left")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    Console().print(table)


def _changes(pair: Pair, top: int) -> None:
    if not top or not pair.changed:
        return
    shown = min(top, len(pair.changed))
    click.echo(f"changed from {pair.first} to {pair.second}: {len(pair.changed):,}, here {shown}")
    for change in pair.changed[:top]:
        line = f"  {change.question_id}  {change.first} -> {change.second}  {change.landmark}"
        # Names come from data: control characters must not reach a terminal.
        click.echo("".join(each if each.isprintable() else "?" for each in line))
