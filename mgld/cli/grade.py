"""`mgld grade`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mgld.cli._errors import user_errors
from mgld.cli._llm_options import llm_options, take_llm_settings


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--judge",
    "spec",
    required=True,
    help="rule, openai:MODEL, openai:MODEL:strict, majority:A,B,C or rule-first:JUDGE. There is "
    "no default.",
)
@click.option(
    "--rule-first", is_flag=True, help="Let the rule judge decide certain cases: rule-first:JUDGE."
)
@llm_options(batch=False)
@click.option(
    "--prices",
    type=click.Path(exists=True, dir_okay=False),
    help="YAML like mgld/llm/prices.yaml, for --max-usd.",
)
@click.option(
    "--ledger",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the judge's replies.  [default: judge-ledger.sqlite in RUN]",
)
@click.option(
    "--no-temperature",
    is_flag=True,
    help="Send no temperature instead of 0: reasoning models refuse one.",
)
@click.option(
    "--max-output-tokens",
    default=2048,
    show_default=True,
    type=click.IntRange(min=64),
    help="Of a judge's reply, hidden reasoning included.",
)
@click.option(
    "--retry-unscored", is_flag=True, help="Judge again what was left unscored; refusals stay."
)
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as JSON.")
@user_errors
def grade(
    run: Path,
    spec: str,
    rule_first: bool,
    ledger: Path | None,
    no_temperature: bool,
    max_output_tokens: int,
    retry_unscored: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Give each question of a RUN one knowledge level for its five answers.

    RUN is a folder that `mgld answer` made. Verdicts and metrics are written into it, by judge; a
    killed call goes on where it was, and what has its verdict is not judged again. The last judge's
    result is `report.html`; `mgld report RUN` writes another one's.

    \b
    mgld grade runs/a --judge rule
    mgld grade runs/a --judge openai:MODEL --max-usd 20
    mgld grade runs/a --judge majority:rule,openai:MODEL,openai:MODEL:strict
    """
    from mgld.build.progress import shown_progress
    from mgld.evaluate.grading import LEDGER_FILE, grade_run
    from mgld.evaluate.judges import JudgeOptions, load_judge
    from mgld.llm.settings import LlmSettings
    from mgld.report.evaluation import write_evaluation_report
    from mgld.report.evaluation_read import is_report_of

    llm = {**take_llm_settings(options), "prices": options["prices"]}
    judge = load_judge(
        f"rule-first:{spec}" if rule_first else spec,
        JudgeOptions(
            ledger=ledger or run / LEDGER_FILE,
            llm=LlmSettings.model_validate(llm),
            temperature=None if no_temperature else 0.0,
            max_output_tokens=max_output_tokens,
            retry_errors=retry_unscored,
        ),
    )
    with shown_progress() as progress:
        graded = grade_run(
            run,
            judge,
            retry_unscored=retry_unscored,
            on_start=lambda todo, total: progress.start("grade", todo, total, "questions"),
            on_verdicts=progress.rows,
        )
        progress.end()
    metrics, page = graded.metrics, run / "report.html"
    if not is_report_of(page, metrics):
        write_evaluation_report(run, judge.id, page)
    if as_json:
        click.echo(metrics.model_dump_json(indent=1))
        return
    dates = f", replies of {metrics.first_reply} to {metrics.last_reply}"
    said = f" as {', '.join(metrics.answered_by)}" if metrics.answered_by else ""
    lines = [
        f"{', '.join(metrics.models)}, judged by {metrics.judge}",
        f"prompt {metrics.prompt_hash}{dates if metrics.first_reply else ''}{said}",
        *metrics.lines(),
    ]
    for line in lines:  # names and reasons come from endpoints: a terminal must not obey them
        click.echo("".join(letter if letter.isprintable() else "?" for letter in line))
    click.echo(f"{graded.judged:,} judged now, {graded.before:,} before: {graded.verdicts_path}")
    if page.is_file():
        click.echo(f"report: {page}")
