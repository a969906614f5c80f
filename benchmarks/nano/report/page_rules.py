"""Which rule of selection teaches best at each budget: models trained on what each chose."""

from __future__ import annotations

from typing import Final

import numpy as np

from benchmarks.nano.knowledge import RULES
from benchmarks.nano.plan import PAPER_SIZES, RULE, rule_row
from benchmarks.nano.report.claims import Part, minus
from benchmarks.nano.report.contrast import contrast
from benchmarks.nano.report.effects import Estimate
from benchmarks.nano.report.page_knowledge import RULE_WORDS
from benchmarks.nano.report.rows import accuracy_over
from benchmarks.nano.report.runs import Runs
from benchmarks.nano.report.words import effect_of, mean_of, table

TRAINED: Final = tuple(rule for rule in RULES if rule in ("hds", "hss", "brs", "lcs", RULE))
"""Rules that models were trained on, at some budget."""


def rules_section(runs: Runs) -> str:
    """Accuracy by rule and budget, and which is best."""
    body, best = [], {size: _best(runs, size) for size in PAPER_SIZES}
    for rule in TRAINED:
        cells = []
        for size in PAPER_SIZES:
            name = _row(runs, rule, size)
            words = "-" if name is None else mean_of(_accuracy(runs, name))
            cells.append(f"**{words}**" if best[size] == rule else words)
        body.append([RULE_WORDS[rule], *cells])
    own = [effect_of(_less(runs, RULE, "hds", size)) for size in PAPER_SIZES]
    body.append([f"{RULE_WORDS[RULE]} - HDS, points", *own])
    return (
        "**Which rule teaches best?** Accuracy of models trained alike on as many records by each "
        "rule, % (-: not trained; by margin and max-softmax none was, whose subsets are nearly "
        f"those of HDS and of {RULE_WORDS[RULE]}):\n\n"
        f"{table(['trained on', *PAPER_SIZES], body)}\n\n"
        "Bold: the best, on the seeds that all of its column have. " + _not_told_apart(runs, best)
    )


def _row(runs: Runs, rule: str, size: str) -> str | None:
    """The row that trained on a rule's subset; None: there is none."""
    for name in (f"table1_{rule}_{size}", f"fig5_{rule}_{size}", rule_row(size).name):
        if rule in name and runs.of(name):
            return name
    return None


def _accuracy(runs: Runs, name: str) -> Estimate | None:
    return accuracy_over(runs, list(runs.of(name).values()), "all")


def _best(runs: Runs, size: str) -> str | None:
    """The rule of the highest mean over the seeds that all have; None: no seed has all."""
    found = {rule: runs.of(name) for rule in TRAINED if (name := _row(runs, rule, size))}
    common = set.intersection(*map(set, found.values())) if found else set()
    if not common:
        return None
    means = {
        rule: float(np.mean([records[seed].accuracy for seed in common]))
        for rule, records in found.items()
    }
    return max(means, key=lambda rule: means[rule])


def _less(runs: Runs, first: str, second: str, size: str) -> Estimate | None:
    """What `first` teaches more than `second`, over the seeds that both have."""
    one, other = _row(runs, first, size), _row(runs, second, size)
    if one is None or other is None:
        return None
    found = contrast(runs, Part("", minus(one, other)))
    return None if found is None else found.estimate


def _not_told_apart(runs: Runs, best: dict[str, str | None]) -> str:
    """At each budget, the rules whose difference from the best may be none."""
    words = []
    for size, rule in best.items():
        if rule is None:
            continue
        less = {o: _less(runs, rule, o, size) for o in TRAINED if o != rule}
        near = [RULE_WORDS[o] for o, found in less.items() if found is not None and found.low <= 0]
        words.append(f"{size}: {', '.join(near) or 'none'}")
    if not words:
        return "Not run."
    return (
        "Not told apart from it (the 95 % interval of the difference, over the seeds that both "
        f"have, includes 0): {'; '.join(words)}."
    )
