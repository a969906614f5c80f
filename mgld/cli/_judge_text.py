"""A calibration in words: tables on a terminal, plain lines everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mgld.evaluate.judge_card import decimals, interval_text
from mgld.evaluate.records import LEVELS

if TYPE_CHECKING:
    from mgld.evaluate.attacked import Attacked
    from mgld.evaluate.calibrate import Calibration


def show_calibration(found: Calibration, top: int) -> None:
    """Print the agreement, the confusion matrix, each kind, and the `top` worst disagreements."""
    result = found.agreement
    click.echo(f"judge {found.judge} (prompt {found.prompt_hash[:16]}) against {_labels(found)}")
    if found.judged_by is not None:
        click.echo(_line(found.judged_by.replies()))
        for note in found.judged_by.notes():
            click.echo(f"note: {_line(note)}")
    click.echo(
        f"{result.items:,} questions about {found.landmarks:,} landmarks; unscored: "
        f"{result.unscored:,} ({result.unscored_share:.1%})"
    )
    for name, value, interval in (
        ("quadratic kappa", result.quadratic_kappa, result.quadratic_kappa_interval),
        ("kappa", result.kappa, result.kappa_interval),
        ("same level", result.exact, result.exact_interval),
    ):
        span = f"  (95 %: {interval_text(interval)})" if interval else ""
        click.echo(f"{name:16}{decimals(value)}{span}")
    click.echo(
        f"better than the label: {found.too_high}, worse: {found.too_low}; recognised by the "
        f"labels: {decimals(found.recognised_labels)}, by the judge: "
        f"{decimals(found.recognised_judge)}"
    )
    names = [level.replace("_", " ") for level in LEVELS]
    counts = [[str(count) for count in row] for row in result.matrix]
    _table(
        "labels in rows, verdicts in columns",
        ["label", *names],
        [[f"label {name}", *row] for name, row in zip(names, counts, strict=True)],
    )
    if found.kinds:
        kinds = [
            [each.kind.replace("_", " "), str(each.items), str(each.right)] for each in found.kinds
        ]
        _table("kinds of answers", ["kind", "sets", "same level"], kinds)
    for pair in found.people:
        a, b = (_line(name) or "(no name)" for name in pair.labellers)
        click.echo(
            f"{a} and {b}: quadratic kappa {decimals(pair.agreement.quadratic_kappa)} on "
            f"{pair.agreement.items:,} questions"
        )
    if found.tied:
        click.echo(f"left out, since no level leads among people: {len(found.tied)}")
    for each in found.disagreements[:top]:
        click.echo(
            f"{_line(each.question_id)}: should be {each.label}, judged {each.judged}\n"
            f"  label: {_line(each.why) or 'no note'}\n  judge: {_line(each.explanation)}"
        )
    if len(found.disagreements) > top:
        click.echo(f"and {len(found.disagreements) - top} more; --json and the card have all")


def show_attacks(found: Attacked) -> None:
    """Print the share of attacks that worked, by kind, and what constant answers get."""
    report = found.report
    click.echo(
        f"judge {report.judge} (prompt {report.prompt_hash[:16]}): {report.attacks} attacks on "
        f"{report.questions} questions"
    )
    click.echo(f"raised a verdict: {report.in_words()}; lowered one: {report.lowered:,}")
    rows = [
        [each.kind.replace("_", " "), str(each.attacks), str(each.trials), str(each.raised)]
        for each in report.kinds
    ]
    _table("kinds of attacks", ["kind", "attacks", "trials", "raised"], rows)
    for each in report.examples:
        click.echo(f"{each.attack} on {each.question_id}: {each.before} became {each.after}")
    for text, accuracy in found.constant.items():
        said = "not scored" if accuracy is None else f"accuracy {accuracy:.1%}"
        click.echo(f"always {text!r}: {said}")


def _labels(found: Calibration) -> str:
    if found.labellers is None:
        return "the built-in set (its labels are ours)"
    return f"{found.labels}, {found.labellers} labeller{'s' if found.labellers != 1 else ''}"


def _line(text: str) -> str:
    """One line without what a terminal would obey: notes and explanations hold anything."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not sys.stdout.isatty():
        for row in rows:
            cells = zip(header[1:], row[1:], strict=True)
            click.echo(f"{row[0]}: {', '.join(f'{name} {value}' for name, value in cells)}")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
