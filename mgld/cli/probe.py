"""`mgld probe`: told, but not seen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mgld.cli._asking import asking_options, asking_settings, draws_shown
from mgld.cli._errors import user_errors

if TYPE_CHECKING:
    from mgld.evaluate.judges.base import Judge
    from mgld.evaluate.records import ProbeResult, ProbeTable


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
    required=True,
    help="Of what the model sees: as of `mgld grade`. There is no default.",
)
@click.option("--judge-base-url", help="The judge's endpoint.  [default: OpenAI's]")
@click.option(
    "--judge-max-usd", type=click.FloatRange(min=0), help="Stop before more is spent on judging."
)
@click.option(
    "--description-judge",
    default="rule",
    show_default=True,
    type=click.Choice(["rule"]),
    help="Of what the model tells.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@user_errors
def probe(
    out: Path,
    retry_errors: bool,
    subsets: tuple[str, ...],
    judge: str,
    judge_base_url: str | None,
    judge_max_usd: float | None,
    description_judge: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Which landmarks a model can describe from their names, but not recognise in their images.

    Asks "Do you know the landmark NAME? Please describe the landmark." without an image, and "What
    is the location shown in the image?" with it, five times each; `probe.json` in --out has the
    result.

    \b
    mgld probe --model openai:MODEL --data DATA --out probes/a --judge rule
    mgld probe --model hf:DIR --data DATA --out probes/b --judge rule \\
        --subset hds25k --subset lcs25k
    """
    from mgld.evaluate.answering import AnswerSettings
    from mgld.evaluate.describing import load_description_judge
    from mgld.evaluate.judges import JudgeOptions, load_judge
    from mgld.evaluate.probe import probe as run_probe
    from mgld.llm.settings import LlmSettings

    settings = AnswerSettings.model_validate(asking_settings(options))
    if settings.model.startswith("file:"):
        raise click.UsageError("a file of answers cannot be asked; the probe needs a model")
    judge_llm = LlmSettings(
        base_url=judge_base_url, max_usd=judge_max_usd, prices=settings.llm.prices
    )

    def make_judge(folder: Path) -> Judge:
        # One file of replies for all subsets, so that the budget holds for all of them.
        return load_judge(judge, JudgeOptions(ledger=out / "judge-ledger.sqlite", llm=judge_llm))

    with ExitStack() as shown:

        def progress(what: str) -> Callable[[int, int], None]:
            shown.close()  # what came before is done
            return shown.enter_context(draws_shown(what))

        result = run_probe(
            settings,
            out,
            make_judge=make_judge,
            description_judge=load_description_judge(description_judge),
            subsets=subsets or ("test",),
            retry_errors=retry_errors,
            progress=progress,
        )
    if as_json:
        click.echo(result.model_dump_json(indent=1))
        return
    for line in _lines(result):
        click.echo("".join(letter if letter.isprintable() else "?" for letter in line))
    click.echo(f"written to {out}/probe.json")


def _lines(result: ProbeResult) -> list[str]:
    lines = [
        f"{result.model}: seen judged by {result.judge}, told by {result.description_judge}",
        f"{'':<12}{'described':>22}{'not described':>22}",
        f"{'subset':<12}{'seen':>10}{'not seen':>12}{'seen':>10}{'not seen':>12}{'unscored':>10}"
        "   misaligned: not seen, of those described",
    ]
    return lines + [_row(table) for table in result.tables]


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
