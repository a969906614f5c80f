"""The claims and their verdicts as Markdown."""

from __future__ import annotations

from collections import Counter
from typing import Final

from benchmarks.nano.report.claims import RULES, SWAP
from benchmarks.nano.report.verdicts import Conclusion, PaperNumbers, PartResult, Verdict
from benchmarks.nano.report.words import (
    NOT_PRINTED,
    change,
    details,
    effect_of,
    p_value,
    seeds_of,
    spread,
    table,
)

VERDICTS: Final[tuple[Verdict, ...]] = (
    "reproduced",
    "not reproduced",
    "undecided in miniature",
    "not run",
)


def headline(conclusions: list[Conclusion]) -> str:
    """How many of the claims ended how."""
    claims = [each for each in conclusions if each.group != SWAP]
    counts = Counter(each.verdict for each in claims)
    words = [f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict]]
    return f"Of {len(claims)} claims of the paper: {', '.join(words)}."


def conclusions_table(conclusions: list[Conclusion]) -> str:
    """One row a claim; where its parts are not taken together, a row for each of them."""
    body: list[list[str]] = []
    group = ""
    for each in conclusions:
        if each.group != group:
            group = each.group
            body.append([f"**{group}**", "", "", "", ""])
        shown = each.shown
        label = each.says[0].upper() + each.says[1:]
        verdict = f"**{_word(each, each.verdict)}**" + (f" ({each.note})" if each.note else "")
        if len(shown) == 1:
            body.append([label, *_numbers(each, shown[0]), verdict])
        else:
            body.append([label, "", "", "", verdict])
            body += [
                [f"- {part.label}", *_numbers(each, part), _word(each, part.verdict)]
                for part in shown
            ]
    header = ["claim", "paper, points (95 %)", "here, points (95 %)", "seeds", "verdict"]
    return table(header, body, text=["verdict"])


def parts_table(conclusions: list[Conclusion]) -> str:
    """Every comparison with its test and the seeds' own effects."""
    body = []
    for each in conclusions:
        for part in each.parts:
            found = part.found
            body.append(
                [
                    f"{each.id}: {part.label}",
                    _paper(each, part.paper),
                    effect_of(found.estimate if found else None),
                    ", ".join(change(v) for v in found.estimate.by_seed) if found else "",
                    p_value(found.p) if found and found.p is not None else "",
                    _word(each, part.verdict),
                ]
            )
    header = [
        "comparison",
        "paper, points",
        "here, points",
        "each seed",
        "p, not adjusted",
        "by itself",
    ]
    return details("Each comparison", table(header, body, text=["by itself"]))


def rules() -> str:
    """The rules in words."""
    words = {
        "more": '"more"',
        "no_gain": '"does not help"',
        "no_loss": '"reaches", "does not hurt"',
        "no_change": '"does not hang on"',
    }
    return "\n".join(f"- {words[kind]}: {RULES[kind]}" for kind in RULES)


def remarks_list(conclusions: list[Conclusion], remarks: dict[str, str]) -> str:
    """What a person wrote, by claim."""
    lines = [
        f"- **{each.says[0].upper()}{each.says[1:]}** ({_word(each, each.verdict)}): "
        + remarks[each.id]
        for each in conclusions
        if each.id in remarks
    ]
    return "\n".join(lines)


def disagreements(conclusions: list[Conclusion]) -> str:
    """Which verdicts the two-way bootstrap would change."""
    other = [
        f"{each.id} ({_word(each, each.by_bootstrap)})"
        for each in conclusions
        if each.by_bootstrap != each.verdict
    ]
    if not other:
        return "By the bootstrap's interval no verdict would be another."
    return f"By the bootstrap's interval other verdicts: {', '.join(other)}."


def _numbers(claim: Conclusion, part: PartResult) -> list[str]:
    found = part.found.estimate if part.found else None
    return [_paper(claim, part.paper), effect_of(found), seeds_of(found.seeds if found else [])]


def _word(claim: Conclusion, verdict: Verdict) -> str:
    """A verdict on a claim of our own is not about the paper."""
    if claim.group != SWAP:
        return verdict
    return {"reproduced": "holds", "not reproduced": "does not hold"}.get(verdict, verdict)


def _paper(claim: Conclusion, paper: PaperNumbers | None) -> str:
    if paper is None:
        return "" if claim.group == SWAP else NOT_PRINTED
    return f"{change(paper.effect)} ({spread(paper.low, paper.high)})"
