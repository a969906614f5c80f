"""Where the paper's numbers disagree with each other, or do not support what its text says.

Each finding quotes the text, and computes from the tables the numbers that stand beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import hypot
from typing import Final

from benchmarks.paper.cells import QUESTIONS, counts_for_gain, gain, percent, rounded
from benchmarks.paper.tables import Tables
from mgld.evaluate.intervals import wilson

SUBSETS: Final = ("HDS-25k", "HSS-25k", "LCS-25k")


@dataclass(frozen=True)
class Finding:
    """`says`: the paper, `numbers`: what was computed (pinned in expected.yaml), `shows`: in words.

    kind: "disagreement" of two statements, "unsupported" claim, or "open" question.
    """

    name: str
    kind: str
    says: str
    shows: str
    numbers: dict[str, str | int]


def findings(tables: Tables) -> list[Finding]:
    """All of them, in the order of the paper."""
    return [
        _test_size(tables),
        _data_row(tables),
        _order_of_losses(tables),
        _epochs(tables),
        _known_against_random(tables),
        _entity_prompt(tables),
        _high_resolution(tables),
    ]


def _test_size(tables: Tables) -> Finding:
    totals = [row.total for row in tables.counts]
    fitting = totals.count(QUESTIONS)
    return Finding(
        "size of the test set",
        "disagreement",
        "Appendix B: 5k samples are set aside as the test dataset",
        f"{fitting} of {len(totals)} rows of Tables 6 and 7 add up to {QUESTIONS:,}",
        {"rows": len(totals), f"rows that add up to {QUESTIONS}": fitting},
    )


def _data_row(tables: Tables) -> Finding:
    baseline = tables.of("", "Baseline").recognised
    numbers: dict[str, str | int] = {}
    words = []
    for subset in ("HDS-25k", "HSS-25k"):
        printed = _table4(tables, subset, "Data")
        count = tables.of(subset, "Data").recognised
        counted = rounded(percent(count), printed)
        relative = _table1(tables, subset)
        as_printed = rounded(gain(round(Fraction(printed) * 25), baseline), relative)
        as_counted = rounded(gain(count, baseline), relative)
        numbers |= {
            f"{subset} Table 4": printed,
            f"{subset} Table 7": f"{counted} ({count})",
            f"{subset} gain in Table 1": relative,
            f"{subset} gain by Table 4": as_printed,
            f"{subset} gain by Table 7": as_counted,
        }
        words.append(
            f"{subset}: Table 7 counts {count}, {counted} %, which makes Table 1's gain of "
            f"{relative} % ({as_counted}); {printed} % would make {as_printed} %"
        )
    says = " and ".join(
        f"{_table4(tables, subset, 'Data')} % ({subset})" for subset in ("HDS-25k", "HSS-25k")
    )
    return Finding("+ 25k Data", "disagreement", f"Table 4: {says}", "; ".join(words), numbers)


def _order_of_losses(tables: Tables) -> Finding:
    by_label = by_place = cells = 0
    for subset in SUBSETS:
        printed = [
            row["accuracy_pct"]
            for row in tables.printed[4]
            if row["subset"] == subset and row["method"] in ("L_e", "L_h")
        ]
        in_place = [
            row for row in tables.counts if row.subset == subset and row.method in ("L_e", "L_h")
        ]
        for row, method, text in zip(in_place, ("L_e", "L_h"), printed, strict=True):
            cells += 1
            by_label += rounded(percent(tables.of(subset, method).recognised), text) == text
            by_place += rounded(percent(row.recognised), text) == text
    return Finding(
        "order of the losses",
        "open",
        "Table 4 lists + L_e before + L_h, Table 7 the reverse: added up, or alternatives?",
        f"read by label {by_label} of {cells} accuracies agree, read by place {by_place}: the "
        "labels are right; the numbers cannot tell whether the rows add up",
        {"cells": cells, "agree by label": by_label, "agree by place": by_place},
    )


def _epochs(tables: Tables) -> Finding:
    baseline = tables.of("", "Baseline").recognised
    numbers: dict[str, str | int] = {}
    equal = 0
    for subset in SUBSETS:
        count = tables.of(subset, "Data").recognised
        implied = counts_for_gain(_table1(tables, subset), baseline)
        equal += implied == [count]
        numbers[subset] = f"{count}, by Table 1 {' or '.join(map(str, implied)) or '-'}"
    return Finding(
        "epochs",
        "open",
        "Table 5: 1 epoch by default; Table 4's results are based on 2",
        f"{equal} of {len(SUBSETS)} counts of Table 7's + Data rows (the details of Table 4) are "
        "those behind Table 1's cells: the same runs, under one number of epochs or the other",
        numbers,
    )


def _known_against_random(tables: Tables) -> Finding:
    baseline = tables.of("", "Baseline").recognised
    numbers: dict[str, str | int] = {}
    for subset in ("HSS-25k", "BRS-25k", "HDS-25k"):
        printed = _table1(tables, subset)
        counts = counts_for_gain(printed, baseline)
        numbers[subset] = f"{printed} ({' or '.join(map(str, counts)) or '-'})"
    return Finding(
        "VE-Known against random",
        "unsupported",
        "Section 3.3: VE-Known subsets (HDS and HSS) consistently outperform BRS, especially with "
        "smaller datasets",
        f"Table 1 at 25k: gain of HSS {numbers['HSS-25k']}, of BRS {numbers['BRS-25k']} "
        f"(recognised questions in brackets); of HDS {numbers['HDS-25k']}",
        numbers,
    )


def _entity_prompt(tables: Tables) -> Finding:
    rows = {row["method"]: row for row in tables.printed[2]}
    numbers: dict[str, str | int] = {}
    for method in ("Baseline", "Entity Prompt (Inference Only)"):
        numbers[method] = str(sum_of(rows[method]))
    before, after = (round(Fraction(text) * 25) for text in map(str, numbers.values()))
    numbers["difference"] = _difference(before, after)
    return Finding(
        "entity prompt at inference only",
        "unsupported",
        "Section 5.2: entity prompts (inference only) do not negatively impact performance",
        f"Table 2: accuracy {numbers['Entity Prompt (Inference Only)']} % with, "
        f"{numbers['Baseline']} % without; {numbers['difference']}",
        numbers,
    )


def sum_of(row: dict[str, str]) -> str:
    """Table 2's accuracy: strongly known and known together, in percent with two digits."""
    return rounded(Fraction(row["strongly_known_pct"]) + Fraction(row["known_pct"]), "0.00")


def _high_resolution(tables: Tables) -> Finding:
    numbers: dict[str, str | int] = {}
    for subset in ("HSS-50k", *SUBSETS):
        data, branch = (tables.of(subset, method).recognised for method in ("Data", "HR"))
        numbers[f"{subset} HR Branch"] = _difference(data, branch)
        for loss in ("L_e", "L_h"):
            step = tables.of(subset, loss).recognised - branch
            numbers[f"{subset} {loss}"] = f"{rounded(percent(step), '+0.00')} points"
    hss = "HSS-25k"
    return Finding(
        "HR branch alone",
        "unsupported",
        "Section 5.2: adding the HR branch alone does not improve performance; section 5.3: "
        "HDS-25k and HSS-25k gain most from the losses",
        f"HSS-50k: {numbers['HSS-50k HR Branch']}; but {hss}: {numbers[f'{hss} HR Branch']}, more "
        f"than the losses add to it ({numbers[f'{hss} L_e']} with L_e, {numbers[f'{hss} L_h']} "
        f"in the row of L_h); HDS-25k: {numbers['HDS-25k HR Branch']}",
        numbers,
    )


def _table1(tables: Tables, subset: str) -> str:
    selection, size = subset.split("-")
    return next(
        row["gain_pct"]
        for row in tables.printed[1]
        if (row["selection"], row["size"]) == (selection, size)
    )


def _table4(tables: Tables, subset: str, method: str) -> str:
    return next(
        row["accuracy_pct"]
        for row in tables.printed[4]
        if (row["subset"], row["method"]) == (subset, method)
    )


def _difference(first: int, second: int) -> str:
    """`+1.68 points (0.1 to 3.2)`: with an interval as if the questions were not the same ones.

    Newcombe's for two independent shares (1998, Stat. Med. 17:873-890, method 10): which questions
    changed is not printed. Pairing them would most likely make it narrower.
    """
    p, q = first / QUESTIONS, second / QUESTIONS
    (low_p, high_p), (low_q, high_q) = wilson(p, QUESTIONS), wilson(q, QUESTIONS)
    low = 100 * (q - p - hypot(q - low_q, high_p - p))
    high = 100 * (q - p + hypot(high_q - q, p - low_p))
    points = rounded(percent(second - first), "+0.00")
    return f"{points} points ({low:+.1f} to {high:+.1f})"
