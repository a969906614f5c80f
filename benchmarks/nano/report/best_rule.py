"""Which rule of selection teaches best at each budget, from models trained on what each chose."""

from __future__ import annotations

from typing import Final

from benchmarks.nano.plan import PAPER_SIZES, RULE, rule_row
from benchmarks.nano.report.claims import MIN_SEEDS, minus
from benchmarks.nano.report.contrast import stacked
from benchmarks.nano.report.effects import Estimate, estimate
from benchmarks.nano.report.rows import accuracy_over
from benchmarks.nano.report.runs import Runs
from mgld.schema import Record

TRAINED: Final = ("hds", "hss", RULE, "brs", "lcs")
"""Rules that models were trained on, at some budget."""


class Budget(Record):
    """What the rules teach with as many records.

    Attributes:
        size: of `plan.PAPER_SIZES`. seeds: that all rules here have; all numbers are of these.
        accuracy: by rule, of those that were trained on. own_over_hds: what `plan.RULE` teaches
            more than HDS; None where one of them was not trained on.
        best: the rule of the highest accuracy; None where there is nothing to compare, or fewer
            than `MIN_SEEDS` seeds. over: what it teaches more than each of the others.
    """

    size: str
    seeds: list[int]
    accuracy: dict[str, Estimate]
    own_over_hds: Estimate | None
    best: str | None
    over: dict[str, Estimate]


def budgets(runs: Runs) -> list[Budget]:
    """All budgets of Figure 5, in order."""
    return [_budget(runs, size) for size in PAPER_SIZES]


def _budget(runs: Runs, size: str) -> Budget:
    rows = {rule: name for rule in TRAINED if (name := _row(runs, rule, size))}
    seeds = set.intersection(*(set(runs.of(name)) for name in rows.values())) if rows else set()

    def less(first: str, second: str) -> Estimate | None:
        common, values = stacked(runs, minus(rows[first], rows[second]), "west", seeds)
        return estimate(values, seeds=common, clusters=runs.clusters())

    accuracy = _present(
        {
            rule: accuracy_over(runs, [runs.of(name)[seed] for seed in sorted(seeds)], "all")
            for rule, name in rows.items()
        }
    )
    best = None
    if len(accuracy) > 1 and len(seeds) >= MIN_SEEDS:
        best = max(accuracy, key=lambda rule: accuracy[rule].effect)
    return Budget(
        size=size,
        seeds=sorted(seeds),
        accuracy=accuracy,
        own_over_hds=less(RULE, "hds") if {RULE, "hds"} <= set(accuracy) else None,
        best=best,
        over={} if best is None else _present({o: less(best, o) for o in accuracy if o != best}),
    )


def _present(found: dict[str, Estimate | None]) -> dict[str, Estimate]:
    return {rule: each for rule, each in found.items() if each is not None}


def _row(runs: Runs, rule: str, size: str) -> str | None:
    """The row that trained on a rule's subset; None: there is none."""
    paper = (f"table1_{rule}_{size}", f"fig5_{rule}_{size}")
    names = (rule_row(size).name,) if rule == RULE else paper
    return next((name for name in names if runs.of(name)), None)
