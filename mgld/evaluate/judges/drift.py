"""As whom a judge's endpoint replied: an undated model id is not always the same model.

A verdict of one model says it as `MODEL`, one of an ensemble as `JUDGE = MODEL; JUDGE = MODEL`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from mgld.evaluate.records import Described, JudgedBy, Verdict


def together(members: Iterable[Verdict]) -> str:
    """`answered_by` of a verdict that these make; members that asked no model are left out."""
    return "; ".join(
        f"{member.judge} = {member.answered_by}" for member in members if member.answered_by
    )


def replied_as(verdicts: Iterable[Verdict | Described]) -> dict[str, Counter[str]]:
    """How often which model replied, for each judge that asks one ("" for a single one)."""
    found: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        for said in verdict.answered_by.split("; ") if verdict.answered_by else ():
            judge, _, model = said.rpartition(" = ")
            found.setdefault(judge, Counter())[model] += 1
    return found


def changed(verdicts: Iterable[Verdict | Described]) -> str:
    """In words, who replied under one judge's name where it was more than one model; else ""."""
    parts = []
    for judge, models in replied_as(verdicts).items():
        if len(models) > 1:
            counts = ", ".join(f"{model} {count:,}" for model, count in models.most_common())
            parts.append(f"{judge}: {counts}" if judge else counts)
    return "; ".join(parts)


def judged_by(found: Sequence[Verdict | Described], model: str = "") -> JudgedBy:
    """Who gave these verdicts, at least one and all of one judge; `model`: the one under test."""
    judge, dates = found[0].judge, sorted({each.date for each in found} - {""})
    return JudgedBy(
        judge=judge,
        prompt_hash=found[0].prompt_hash,
        answered_by={
            f"{name} = {who}" if name else who: count
            for name, of in replied_as(found).items()
            for who, count in of.most_common()
        },
        changed=changed(found),
        first_reply=dates[0] if dates else "",
        last_reply=dates[-1] if dates else "",
        # An id ends in its protocol; an ensemble's has several.
        is_model=bool(model)
        and any(part.rpartition(":")[0].endswith(model) for part in judge.split(",")),
    )
