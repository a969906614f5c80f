"""`mgld probe`: told, but not seen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mgld.cli._asking import asking_options, asking_settings, draws_shown
from mgld.cli._errors import user_errors

if TYPE_CHECKING:
    from mgld.evaluate.records import JudgedBy, ProbeResult, ProbeTable

MOST_SHOWN = 160
"""Characters of an answer that are shown."""


@click.command()
@asking_options
@click.option(
    "--subset",
    "subsets",
    multiple=True,
    help="test, test_paper, or a config of training records such as hds25k; repeatable.  "
    "[default: test]",
)
@click.option(
    "--judge",
    "spec",
    required=True,
    help="Of what the model sees: as of `mgld grade`. There is no default.",
)
@click.option("--judge-base-url", help="The endpoint of both judges.  [default: OpenAI's]")
@click.option(
    "--judge-max-usd", type=click.FloatRange(min=0), help="Stop before more is spent on judging."
)
@click.option(
    "--no-temperature",
    is_flag=True,
    help="Send judges no temperature instead of 0: reasoning models refuse one.",
)
@click.option(
    "--description-judge",
    "description_spec",
    default="rule",
    show_default=True,
    help="Of what the model tells: rule, which knows places and kinds only, or openai:MODEL.",
)
@click.option(
    "--top",
    default=3,
    show_default=True,
    type=click.IntRange(min=0),
    help="Misaligned landmarks to show of each subset; misaligned.jsonl has all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@user_errors
def probe(
    out: Path,
    retry_errors: bool,
    subsets: tuple[str, ...],
    spec: str,
    judge_base_url: str | None,
    judge_max_usd: float | None,
    no_temperature: bool,
    description_spec: str,
    top: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Which landmarks a model can describe from their names, but not recognise in their images.

    Asks "Do you know the landmark NAME? Please describe the landmark." without an image, and "What
    is the location shown in the image?" with it, five times each; `probe.json` in --out has the
    result, and `report.html` shows it.

    \b
    mgld probe --model openai:MODEL --data DATA --out probes/a --judge rule
    mgld probe --model hf:DIR --data DATA --out probes/b --judge rule \\
        --subset hds25k --subset lcs25k
    mgld probe --model openai:MODEL --data DATA --out probes/c --judge openai:JUDGE \\
        --description-judge openai:JUDGE --judge-max-usd 20
    """
    from mgld.evaluate.answering import AnswerSettings
    from mgld.evaluate.describing import load_description_judge
    from mgld.evaluate.grading import LEDGER_FILE
    from mgld.evaluate.judges import JudgeOptions, load_judge
    from mgld.evaluate.judges.base import require_endpoints
    from mgld.evaluate.probe import DESCRIBED_FILE
    from mgld.evaluate.probe import probe as run_probe
    from mgld.llm.settings import LlmSettings
    from mgld.report.probe import write_probe_report

    subsets = subsets or ("test",)
    settings = AnswerSettings.model_validate(asking_settings(options))
    if settings.model.startswith("file:"):
        raise click.UsageError("a file of answers cannot be asked; the probe needs a model")
    judging = JudgeOptions(
        # One file of replies for both judges and all subsets: the budget holds for all of them.
        ledger=out / LEDGER_FILE,
        llm=LlmSettings(base_url=judge_base_url, max_usd=judge_max_usd, prices=settings.llm.prices),
        temperature=None if no_temperature else 0.0,
        retry_errors=retry_errors,
        budget_option="--judge-max-usd",
    )
    if not all((out / subset / "text" / DESCRIBED_FILE).is_file() for subset in subsets):
        # What is judged already needs no endpoint; else it is said before the model is paid for.
        for each in (spec, description_spec):
            require_endpoints(each, judging)
    judge = load_judge(spec, judging)
    description_judge = load_description_judge(description_spec, judging)
    with ExitStack() as shown:

        def progress(what: str) -> Callable[[int, int], None]:
            shown.close()  # what came before is done
            return shown.enter_context(draws_shown(what))

        result = run_probe(
            settings,
            out,
            judge=judge,
            description_judge=description_judge,
            subsets=subsets,
            retry_errors=retry_errors,
            progress=progress,
        )
    page = out / "report.html"
    write_probe_report(out, page)
    if as_json:
        click.echo(result.model_dump_json(indent=1))
        return
    shown_cases = [line for table in result.tables for line in _cases(out, table.subset, top)]
    for line in [*_lines(result), *shown_cases]:
        click.echo("".join(letter if letter.isprintable() else "?" for letter in line))
    click.echo(f"written to {out}/probe.json")
    click.echo(f"report: {page}")


def _lines(result: ProbeResult) -> list[str]:
    lines = [
        result.model,
        *_judged("seen", result.recognised),
        *_judged("told", result.described),
        f"{'':<12}{'described':>22}{'not described':>22}",
        f"{'subset':<12}{'seen':>10}{'not seen':>12}{'seen':>10}{'not seen':>12}{'unscored':>10}"
        "   misaligned: not seen, of those described",
    ]
    lines += [_row(table) for table in result.tables]
    return lines + [note for table in result.tables for note in _unscored(table)]


def _cases(out: Path, subset: str, top: int) -> list[str]:
    """The first misaligned landmarks of a subset: what is told of them, and what is seen."""
    from mgld.evaluate.graded import read_rows
    from mgld.evaluate.probe import MISALIGNED_FILE
    from mgld.evaluate.records import Misaligned

    lines = []
    for case in islice(read_rows(out / subset / MISALIGNED_FILE, Misaligned), top):
        lines.append(f"{subset}: {case.landmark} ({case.question_id}), {case.level}")
        lines += [
            f"  {side}: {_short(text)}" for side, text in (("told", case.told), ("seen", case.seen))
        ]
    return lines


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_SHOWN else f"{line[:MOST_SHOWN]} ..."


def _judged(side: str, by: JudgedBy) -> list[str]:
    """Who judged, and what one must know of that."""
    replies = f", {by.replies()}" if by.replies() else ""
    line = f"{side}: judged by {by.judge} (prompt {by.prompt_hash[:16]}){replies}"
    return [line, *(f"note: {note}" for note in by.notes())]


def _unscored(table: ProbeTable) -> list[str]:
    """What the questions without a verdict could do to the rate."""
    if not table.unscored or table.lowest is None or table.highest is None:
        return []
    return [
        f"{table.subset}: {table.unscored:,} unscored, {table.unscored_described:,} of them told, "
        f"{table.unscored_recognised:,} seen: with them misaligned is between {table.lowest:.1%} "
        f"and {table.highest:.1%}"
    ]


def _row(table: ProbeTable) -> str:
    cells = (
        f"{table.subset:<12}{table.described_recognised:>10,}"
        f"{table.described_not_recognised:>12,}{table.not_described_recognised:>10,}"
        f"{table.not_described_not_recognised:>12,}{table.unscored:>10,}   "
    )
    if table.misalignment is None or table.interval is None:
        return f"{cells}none is described"
    low, high = table.interval
    told = table.described_recognised + table.described_not_recognised
    place = (
        f"; {table.by_place:,} say the place, {table.by_place_not_recognised:,} of them not seen"
    )
    return (
        f"{cells}{table.misalignment:.1%} of {told:,} (95 % {low:.1%} to {high:.1%})"
        f"{place if table.by_place else ''}"
    )
