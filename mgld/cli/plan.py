"""`mgld plan`."""

from __future__ import annotations

from pathlib import Path

import click

from mgld.cli._errors import user_errors


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--annotator", help="openai:MODEL, to compare models.  [default: the build's]")
@click.option("--base-url", help="Endpoint, e.g. http://127.0.0.1:8000/v1.")
@click.option("--rpm", type=click.IntRange(min=1), help="Requests per minute at most.")
@click.option("--tpm", type=click.IntRange(min=1), help="Tokens per minute at most.")
@click.option("--concurrency", type=click.IntRange(min=1), help="Requests in flight at most.")
@click.option("--max-usd", type=click.FloatRange(min=0), help="Budget to compare with.")
@click.option("--prices", help="YAML file of prices that go before the built-in ones.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@user_errors
def plan(
    folder: Path,
    annotator: str | None,
    base_url: str | None,
    rpm: int | None,
    tpm: int | None,
    concurrency: int | None,
    max_usd: float | None,
    prices: str | None,
    as_json: bool,
) -> None:
    """What a model's answers will cost, before anything is sent: tokens, dollars, batches, time.

    Needs a build's catalog; once stage selection is done, the images' sizes count too.

    \b
    mgld build --source gldv2/ --out out/mgld --stage catalog
    mgld plan out/mgld --annotator openai:gpt-4.1-mini --rpm 500 --tpm 200000
    """
    from mgld.build.read import BuildView
    from mgld.build.spending import plan_build
    from mgld.cli._plan_text import show_plan

    given = {
        "base_url": base_url,
        "requests_per_minute": rpm,
        "tokens_per_minute": tpm,
        "concurrency": concurrency,
        "max_usd": max_usd,
        "prices": prices,
    }
    llm = {name: value for name, value in given.items() if value is not None}
    found = plan_build(BuildView(folder), annotator=annotator, llm=llm)
    if as_json:
        click.echo(found.model_dump_json(indent=1))
    else:
        show_plan(found)
