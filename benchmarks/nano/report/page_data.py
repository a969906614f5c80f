"""The figures of the build and of its answers, which `drawing` has drawn, and Figure 3's claims."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from benchmarks.nano.drawing import DRAWN
from benchmarks.nano.report.contents import Picture
from benchmarks.nano.report.dispersion import Measured
from benchmarks.nano.report.words import table


def find_pictures(figures: Path) -> list[Picture]:
    """Those of `DRAWN` that are there, each with what it says to who cannot see it."""
    found = []
    for name, title in DRAWN.items():
        path = figures / f"{name}.svg"
        if path.is_file():
            alt = ElementTree.parse(path).getroot().get("aria-label") or title
            found.append(Picture(name, title, alt))
    return found


def data_section(measured: list[Measured], pictures: list[Picture]) -> str:
    """What the subsets are like."""
    there = {each.name for each in pictures}
    lacking = [title for name, title in DRAWN.items() if name not in there]
    parts = []
    if any(each.value is not None for each in measured):
        parts += [
            "What the paper reads off Figure 3, measured on the vectors themselves "
            "([definitions](../../docs/definitions.md)): reproduced where the subset lies to the "
            "claimed side of 95 % of random records of the same categories in the same numbers "
            f"({_records(measured)} records each). Below a silhouette of 0 categories overlap.",
            _table(measured),
        ]
    parts += [
        f"**{each.title}**\n\n![{each.alt}](figures/{each.name}.svg)\n\n"
        f"[PNG](figures/{each.name}.png), [data](figures/{each.name}.csv)"
        for each in pictures
    ]
    if lacking:
        parts.append(
            f"Not drawn: {'; '.join(lacking)}. `python -m benchmarks.nano figures` draws them "
            "where the build and the answers of HDS-50k, seed 0, lie."
        )
    return "\n\n".join(parts)


def _records(measured: list[Measured]) -> str:
    """How many records the subsets have."""
    counts = sorted({each.records for each in measured if each.records is not None})
    return " or ".join(f"{count:,}" for count in counts)


def _table(measured: list[Measured]) -> str:
    body = [
        [
            each.says,
            each.measure,
            "not drawn" if each.value is None else f"{each.value:.3f}",
            "" if each.low is None or each.high is None else f"{each.low:.3f} to {each.high:.3f}",
            f"**{each.verdict}**",
        ]
        for each in measured
    ]
    return table(
        ["claim", "measure", "subset", "random", "verdict"], body, text=["measure", "verdict"]
    )
