"""A spending plan in words: a table on a terminal, plain lines everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mgld.build.spending import SpendingPlan
    from mgld.llm.plan import Sample, StagePlan


def show_plan(plan: SpendingPlan) -> None:
    """Print a plan; what it warns of comes last, on standard error."""
    click.echo(f"{plan.model} at {plan.base_url}: {_price(plan)}")
    if sys.stdout.isatty():
        _table(plan)
    else:
        for stage in plan.stages:
            click.echo(_line(stage))
    _totals(plan)
    for stage in plan.stages:
        if stage.sample:
            _sample(stage, stage.sample)
    for note in plan.notes:
        click.echo(f"note: {note}")
    for warning in plan.warnings:
        click.echo(f"warning: {warning}", err=True)


def _price(plan: SpendingPlan) -> str:
    price = plan.price
    if price is None:
        return "no known price"
    fresh, cached, out = (_rate(each) for each in (price.input, price.cached_input, price.output))
    return f"{fresh} in ({cached} cached) and {out} out per million tokens"


def _rate(amount: float) -> str:
    return f"${amount:.2f}" if round(amount, 2) == amount else f"${amount:g}"


def _line(stage: StagePlan) -> str:
    parts = [f"{stage.requests:,} requests", f"{stage.answered:,} answered"]
    if stage.in_batch:
        parts.append(f"{stage.in_batch:,} in a batch")
    parts.append(f"{stage.to_send:,} to send")
    words = [", ".join(parts)]
    if stage.to_send:
        online = batched = ""
        if stage.online_usd is not None:
            online = f"{dollars(stage.online_usd)} (at most {dollars(stage.most_usd)}), "
            batched = f"{dollars(stage.batch_usd)}, "
        words += [
            f"{stage.input_tokens:,} tokens in, {stage.output_tokens:,} out",
            f"online {online}{_minutes(stage.minutes)}, bound by {stage.binds}",
            f"batched {batched}{_batches(stage)}",
        ]
    return f"{stage.stage:<9} {'; '.join(words)}"


def _table(plan: SpendingPlan) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("")
    for stage in plan.stages:
        table.add_column(f"stage {stage.stage}", justify="right")
    rows: dict[str, Callable[[StagePlan], str]] = {
        "requests": lambda stage: f"{stage.requests:,}",
        "answered": lambda stage: f"{stage.answered:,}",
        "in a batch": lambda stage: f"{stage.in_batch:,}",
        "to send": lambda stage: f"{stage.to_send:,}",
        "tokens in": lambda stage: f"{stage.input_tokens:,}",
        "tokens out": lambda stage: f"{stage.output_tokens:,}",
        "online": lambda stage: dollars(stage.online_usd),
        "online, at most": lambda stage: dollars(stage.most_usd),
        "batched": lambda stage: dollars(stage.batch_usd),
        "batch files": _batches,
        "time online": lambda stage: _minutes(stage.minutes),
        "bound by": lambda stage: stage.binds,
    }
    for name, cell in rows.items():
        table.add_row(name, *(cell(stage) for stage in plan.stages))
    Console().print(table)


def _totals(plan: SpendingPlan) -> None:
    if plan.price is not None:
        sums = [
            sum(getattr(stage, name) or 0.0 for stage in plan.stages)
            for name in ("online_usd", "most_usd", "batch_usd")
        ]
        online, most, batched = (dollars(amount) for amount in sums)
        click.echo(f"together  online {online} (at most {most}), batched {batched}")
    minutes = _minutes(sum(stage.minutes for stage in plan.stages))
    seconds = {
        f"{stage.seconds_per_reply:.1f} s ({'measured' if _measured(stage) else 'assumed'})": None
        for stage in plan.stages
    }
    click.echo(
        f"time      online {minutes}, one stage after the other, {' and '.join(seconds)} a reply; "
        "batched up to 24 h a stage"
    )
    money = plan.money
    if money is not None:
        parts = f"{dollars(money.spent)} spent, {dollars(money.reserved)} in flight"
        lost = f", {dollars(money.lost)} perhaps paid without a reply" if money.lost else ""
        budget = "" if plan.max_usd is None else f" of a budget of {dollars(plan.max_usd)}"
        click.echo(f"so far    {parts}{lost}{budget}")


def _measured(stage: StagePlan) -> bool:
    return stage.sample is not None and stage.sample.seconds is not None


def _sample(stage: StagePlan, sample: Sample) -> None:
    click.echo(
        f"{stage.stage:<9} {sample.replies:,} replies took, on the mean, "
        f"{sample.input_tokens:,.0f} tokens in ({sample.cached_tokens:,.0f} cached), "
        f"{sample.output_tokens:,.0f} out, {dollars(sample.usd)}"
        + (f", {sample.seconds:.1f} s" if sample.seconds is not None else "")
    )
    projection = stage.projection
    if projection is None or not stage.to_send:
        return
    each_in, each_out = (
        tokens / stage.to_send for tokens in (stage.input_tokens, stage.output_tokens)
    )
    click.echo(
        f"{'':<9} (estimated: {each_in:,.0f} in, {each_out:,.0f} out); all to send like these: "
        f"{projection.input_tokens:,} tokens in, {projection.output_tokens:,} out, "
        f"online {dollars(projection.online_usd)}, batched {dollars(projection.batch_usd)}"
    )


def _batches(stage: StagePlan) -> str:
    files = "1 file" if stage.batch_files == 1 else f"{stage.batch_files:,} files"
    return f"{files} ({stage.batch_bytes / 1e6:,.1f} MB)"


def dollars(amount: float | None) -> str:
    """`$1,234.50`; more digits below a dollar; a dash for a price that is not known."""
    if amount is None:
        return "-"
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def _minutes(minutes: float) -> str:
    if minutes < 1:
        return f"{minutes * 60:.0f} s"
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:,.1f} h"
