"""Which rule of selection teaches best, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.nano.plan import RULE
from benchmarks.nano.report.best_rule import TRAINED, Budget
from benchmarks.nano.report.page_knowledge import RULE_WORDS
from benchmarks.nano.report.words import effect_of, mean_of, table


def rules_section(budgets: Sequence[Budget]) -> str:
    """Accuracy by rule and budget, and which is best."""
    body = []
    for rule in TRAINED:
        cells = []
        for budget in budgets:
            words = mean_of(budget.accuracy[rule]) if rule in budget.accuracy else "-"
            cells.append(f"**{words}**" if budget.best == rule else words)
        body.append([RULE_WORDS[rule], *cells])
    own = [effect_of(budget.own_over_hds) for budget in budgets]
    body.append([f"{RULE_WORDS[RULE]} - HDS, points", *own])
    body.append(["seeds", *(str(len(budget.seeds)) for budget in budgets)])
    return (
        "**Which rule teaches best?** Accuracy of models trained alike on as many records by each "
        "rule, %, over the seeds that all of a column have (-: not trained; by margin, whose "
        "order begins as HDS's does, by max-softmax and from the end of LCS's order none was):\n\n"
        f"{table(['trained on', *(budget.size for budget in budgets)], body)}\n\n"
        + _not_told_apart(budgets)
    )


def _not_told_apart(budgets: Sequence[Budget]) -> str:
    """At each budget, the rules whose difference from the best may be none."""
    words = []
    for budget in budgets:
        if budget.best is not None:
            near = [RULE_WORDS[rule] for rule, over in budget.over.items() if over.low <= 0]
            words.append(f"{budget.size}: {', '.join(near) or 'none'}")
    if not words:
        return "Too little was run to name a best one."
    return (
        "Bold: the best. Not told apart from it (the 95 % interval of the difference includes 0): "
        f"{'; '.join(words)}."
    )
