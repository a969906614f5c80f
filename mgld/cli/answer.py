"""`mgld answer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mgld.cli._asking import asking_options, asking_settings, draws_shown
from mgld.cli._errors import user_errors

if TYPE_CHECKING:
    from mgld.evaluate.answering import AnswerCounts

PROMPTS = {"off": "question", "ask": "entities-ask", "given": "entities-given"}


@click.command()
@asking_options
@click.option(
    "--split",
    default="test",
    show_default=True,
    type=click.Choice(["test", "test_paper"]),
    help="test_paper is the first half of test.",
)
@click.option(
    "--entity-prompt",
    default="off",
    show_default=True,
    type=click.Choice(list(PROMPTS)),
    help="Have the model list the entities it sees first (ask), or tell it the record's (given).",
)
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    help="Answers to each question; levels need the default.  [default: 5]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@user_errors
def answer(
    out: Path, retry_errors: bool, entity_prompt: str, as_json: bool, **options: Any
) -> None:
    """Have a model answer every test question five times.

    \b
    mgld answer --model openai:MODEL --data DATA --out runs/a --max-usd 20
    mgld answer --model hf:OWNER/NAME --data DATA --out runs/b --device cuda
    mgld answer --model file:answers.jsonl --data DATA --out runs/c

    A file's lines are {"question_id": ..., "draw": 0, "text": ...}. The key of an endpoint is read
    from the environment variable OPENAI_API_KEY. Exit code 1 where draws are missing.
    """
    from mgld.evaluate.answering import AnswerSettings, answer_questions

    settings = AnswerSettings.model_validate(
        {**asking_settings(options), "prompt": PROMPTS[entity_prompt]}
    )
    with draws_shown("answers") as progress:
        counts = answer_questions(settings, out, retry_errors=retry_errors, progress=progress)
    if as_json:
        click.echo(counts.model_dump_json(indent=1))
    else:
        _show(out, counts)
    if counts.missing:
        raise click.exceptions.Exit(1)


def _show(out: Path, counts: AnswerCounts) -> None:
    from mgld.evaluate.records import DRAWS

    if counts.dropped_bytes:
        click.echo(f"a line that was cut when a run was killed was made again ({out})")
    click.echo(
        f"{counts.draws:,} draws of {counts.questions:,} questions = {counts.ok:,} answered + "
        f"{counts.refused:,} refused + {counts.errors:,} errors + {counts.missing:,} missing"
    )
    if counts.missing:
        more = ", ..." if counts.missing > 10 else ""
        click.echo(f"missing draws: {'; '.join(counts.missing_draws)}{more}")
    elif counts.errors:
        click.echo("the same call with --retry-errors asks again for what ended in an error")
    if counts.draws != DRAWS * counts.questions:
        click.echo(f"these cannot be graded: a level needs {DRAWS} answers to each question")
    elif not counts.missing:
        click.echo(f"next: `mgld grade {out} --judge rule`, or another judge")
