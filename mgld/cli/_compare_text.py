"""A comparison of runs in words: tables on a terminal, plain lines everywhere else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mgld.evaluate.compare import Comparison, Effect, Pair, RunResult
    from mgld.evaluate.intervals import Interval

_PAIRS = ("second - first", "of", "difference", "95 % interval", "p", "only first / second")


def show_comparison(found: Comparison, top: int) -> None:
    """Print each run, each pair, and the `top` largest changes of each pair."""
    judge = _printable(f"{found.judge} (prompt {found.prompt_hash[:16]})")
    click.echo(f"{found.questions:,} questions, judged by {judge}")
    runs = {run.name: _run(run) for run in found.runs}
    pairs = [row for pair in found.pairs for row in _pair(pair)]
    if sys.stdout.isatty():
        _tables(runs, pairs)
    else:
        for name, cells in runs.items():
            words = [f"{what} {cell}" for what, cell in cells.items() if cell]
            click.echo(f"{name}: {'; '.join(words)}")
        for title, of, *values in pairs:
            named = zip(_PAIRS[2:], values, strict=True)
            click.echo(f"{title}: {of}: {'; '.join(f'{a} {b}' for a, b in named if b)}")
    for run in found.runs:
        if run.left_out:
            click.echo(f"{run.name}: left out, not common to all: {run.left_out:,} questions")
    for pair in found.pairs:
        if pair.unscored:
            click.echo(f"{_title(pair)}: unscored in either and left out: {pair.unscored:,}")
        if pair.landmarks < pair.questions:
            click.echo(
                f"{_title(pair)}: {pair.landmarks:,} landmarks; questions about one stay together"
            )
    if len(found.pairs) > 1:
        click.echo(f"p is adjusted for {len(found.pairs)} pairs (Holm)")
    for pair in found.pairs:
        _changes(pair, top)


def _run(run: RunResult) -> dict[str, str]:
    metrics = run.metrics
    cells = {
        "accuracy": _percent(metrics.accuracy),
        "95 % interval": _range(metrics.accuracy_interval, 100),
        "recognised": f"{metrics.recognised:,} of {metrics.scored:,}",
    }
    cells |= {name.replace("_", " "): _percent(share) for name, share in metrics.shares.items()}
    cells["unscored"] = f"{metrics.unscored:,}"
    bounds = f"{_percent(metrics.worst)} to {_percent(metrics.best)}"
    return cells | {"accuracy with those": bounds if metrics.unscored else ""}


def _pair(pair: Pair) -> list[list[str]]:
    """A row for each of the two effects."""
    alone = f"{pair.only_first:,} / {pair.only_second:,}"
    return [
        [_title(pair), "accuracy", *_effect(pair.recognised, 100, " points"), alone],
        [_title(pair), "level score", *_effect(pair.level, 1, ""), ""],
    ]


def _effect(effect: Effect | None, scale: int, unit: str) -> tuple[str, str, str]:
    if effect is None:
        return "-", "-", "-"
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


def _tables(runs: dict[str, dict[str, str]], pairs: list[list[str]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("")
    for name in runs:
        table.add_column(escape(name), justify="right")
    for what in next(iter(runs.values())):
        table.add_row(what, *(cells[what] for cells in runs.values()))
    Console().print(table)
    table = Table(*_PAIRS[:2])
    for name in _PAIRS[2:]:
        table.add_column(name, justify="right")
    for row in pairs:
        last = row[1] == "level score"  # the second row of a pair need not name it again
        title = "" if last else escape(row[0])
        table.add_row(title, *map(escape, row[1:]), end_section=last)
    Console().print(table)


def _changes(pair: Pair, top: int) -> None:
    if not top or not pair.changed:
        return
    shown = min(top, len(pair.changed))
    click.echo(f"changed from {pair.first} to {pair.second}: {len(pair.changed):,}, here {shown}")
    for change in pair.changed[:top]:
        line = f"  {change.question_id}  {change.first} -> {change.second}  {change.landmark}"
        click.echo(_printable(line))


def _printable(text: str) -> str:
    """Text from data without control characters, which must not reach a terminal."""
    return "".join(each if each.isprintable() else "?" for each in text)
