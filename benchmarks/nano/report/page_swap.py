"""The swap control: the same selections by an encoder that was taught the other half."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.nano.encoders import SECOND_FILE
from benchmarks.nano.plan import BASELINE, swapped
from benchmarks.nano.report.claims import HALVES
from benchmarks.nano.report.contents import Contents
from benchmarks.nano.report.rows import accuracy_over
from benchmarks.nano.report.words import mean_of, percent, table

SWAP_ROWS: Final = tuple(row.name for row in swapped())
"""Rows that both encoders have, the baseline first."""


def swap_section(contents: Contents) -> str:
    """Accuracy over both halves of the world, by what half the encoder was taught."""
    runs = contents.runs
    body = []
    for encoder in HALVES:
        for name in SWAP_ROWS:
            found = runs.of(name, encoder)
            selection, _, size = name.removeprefix("table1_").partition("_")
            words = name if name == BASELINE else f"{selection.upper()}-{size}"
            cells = [
                mean_of(accuracy_over(runs, list(found.values()), scope))
                for scope in ("west", "east", "all")
            ]
            body.append([f"{encoder}: {words}", *cells])
    return (
        "Is it knowledge, or are some landmarks easier? A second encoder was taught the other half "
        "of the world: what it knows and does not know is exchanged, and with that which pictures "
        "are records, and which records are in which subset. A subset also decides whose names a "
        "model hears: HDS has almost only names of the half that its encoder knows, LCS of the "
        "other, and each model forgets those it does not hear. What each teaches is therefore read "
        "on its own half: HDS on the half taught, LCS on the other."
        + _second_encoder(contents.second_encoder)
        + "\n\n"
        + table(["encoder: subset", "west landmarks, %", "east landmarks, %", "all, %"], body)
    )


def _second_encoder(record: dict[str, Any] | None) -> str:
    """What the second encoder was shown and what it knows of it."""
    if record is None:
        return ""
    training, measured = record["training"], record["measurements"]
    ahead = measured["top1_of_500"]
    return (
        f"\n\nThe second encoder was trained as the first ({training['views']:,} views of "
        f"{training['landmarks']} eastern landmarks, {training['minutes']:.0f} minutes, "
        f"{training['date']}). Of 500 names it puts a picture's own first for "
        f"{percent(ahead['often'], 0)} % of the landmarks whose colours it was taught often, "
        f"{percent(ahead['never'], 1)} % of those it was never "
        f"([record](results/{SECOND_FILE}))."
    )
