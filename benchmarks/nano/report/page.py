"""The text of RESULTS.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.nano.record import Half, RunRecord
from benchmarks.nano.report import page_conclusions as conclusions_page
from benchmarks.nano.report import page_tables as tables_page
from benchmarks.nano.report.effects import Estimate, estimate
from benchmarks.nano.report.page_knowledge import render_study
from benchmarks.nano.report.rows import Row
from benchmarks.nano.report.runs import BASELINE, Runs, Scope, recognised
from benchmarks.nano.report.verdicts import Conclusion
from benchmarks.nano.report.words import details, mean_of, percent, table

SWAPPED = (BASELINE, "table1_brs_50k", "table1_lcs_50k", "table1_hds_50k")
_SWAP_WORDS = {BASELINE: "baseline"}


@dataclass(frozen=True)
class Picture:
    """A figure as the page shows it."""

    name: str
    title: str
    alt: str


@dataclass(frozen=True)
class Contents:
    """All that the page is made from.

    tables, points: rows of the paper's tables and points of its figures, by number. pictures: by
    figure ("1", "5", "7", "knowledge"). study: of the encoder's knowledge, None: not made.
    """

    runs: Runs
    tables: dict[int, list[Row]]
    points: dict[int, list[Row]]
    conclusions: list[Conclusion]
    remarks: dict[str, str]
    pictures: dict[str, list[Picture]]
    study: dict[str, Any] | None


def render(contents: Contents) -> str:
    """The page as Markdown."""
    runs, tables = contents.runs, contents.tables
    counts = {scope: int(runs.scope(scope).sum()) for scope in ("known", "rare", "unknown")}
    ablated = [*tables[1], *tables[3], *(row for row in tables[4] if not row.is_baseline)]
    sections = [
        _head(contents),
        "## Table 1: which data\n\n"
        "Gain over the baseline by selection and size; in brackets: how much more than BRS.\n\n"
        + tables_page.table_1(tables[1]),
        "## Table 3: EECA's parts\n\nEach row adds to the one above.\n\n"
        + tables_page.table_3(runs, tables[3]),
        _conclusions(contents),
        "## Table 2: entities in the question\n\n" + tables_page.table_2(tables[2]),
        "## Table 4: EECA on three selections\n\n" + tables_page.table_4(tables[4]),
        "## Figure 5: accuracy against data size\n\n" + _pictures(contents, "5"),
        "## Figure 7: robustness\n\n" + _pictures(contents, "7"),
        "## What the encoder knew\n\n"
        "The same rows over test landmarks whose names the encoder was taught sometimes or often "
        "(VE-Known), rarely, and never (VE-Unknown: no syllable of the name was ever shown).\n\n"
        + tables_page.by_knowledge(ablated, counts),
        "## Figure 1: described from the name, not recognised in the image\n\n" + _probe(contents),
        "## Swap control\n\n" + _swap(runs),
        "## How well scores find what the encoder was taught\n\n" + _study(contents),
        "## Levels\n\n"
        + "\n\n".join(
            f"Table {number}\n\n{tables_page.levels(rows)}" for number, rows in tables.items()
        ),
        _method(contents),
        _machines(runs.records),
    ]
    return "\n\n".join(sections) + "\n"


def _head(contents: Contents) -> str:
    runs = contents.runs
    rows = [row for each in contents.tables.values() for row in each]
    done = sum(bool(row.seeds) for row in rows)
    marks = runs.landmarks()
    test = f"{len(marks):,} test landmarks" if marks else "no test landmarks yet"
    baseline = contents.tables[3][0].accuracy
    lines = [
        "# The paper in miniature",
        'What "Beyond Sight" (arXiv 2411.16824) reports, done again at a size that a laptop can '
        "do: a drawn world, an encoder that was taught one half of it and nothing of the other, a "
        "small language model that has read about all of it, and this project's own pipeline, "
        "trainer and grader. So what the encoder knows is a fact here, not an inference. Numbers "
        "of a miniature say whether an effect is there and which way it goes, not how large it is "
        "at full size.",
        f"{done} of {len(rows)} rows of Tables 1 to 4 have been run, on {test}; the rest says "
        '"not run". Accuracy is strongly known + known, in percent, of five answers graded by the '
        'rule judge; "here" is the miniature, and brackets after a number are its 95 % interval '
        "over seeds and landmarks.",
        f"Baseline (before the landmark data): {mean_of(baseline)} % here, 8.68 % in the paper.",
        conclusions_page.headline(contents.conclusions),
    ]
    return "\n\n".join(lines)


def _conclusions(contents: Contents) -> str:
    found = contents.conclusions
    parts = [
        "## Conclusions",
        "Differences of accuracy in points. The paper's intervals are ours, from its counts, as if "
        "each row had been asked different questions, and of one training each.",
        conclusions_page.conclusions_table(found),
        "A verdict is what the interval here says by a rule that was written down before "
        "([claims.py](report/claims.py)):",
        conclusions_page.rules(),
        "Otherwise: undecided in miniature, as it is with fewer than two seeds. Intervals are not "
        "widened for the number of claims. " + _by_the_same_rule(found),
        conclusions_page.parts_table(found),
        "### Why that might be",
        conclusions_page.remarks_list(found, contents.remarks) or "Nothing is written yet.",
    ]
    return "\n\n".join(parts)


def _by_the_same_rule(found: Sequence[Conclusion]) -> str:
    printed = [part.paper for each in found for part in each.shown if part.paper]
    kept = sum(paper.verdict == "reproduced" for paper in printed)
    return (
        f"By the same rules the paper's own printed numbers bear out {kept} of the "
        f"{len(printed)} comparisons above that they are printed for."
    )


def _pictures(contents: Contents, figure: str) -> str:
    shown = contents.pictures.get(figure, [])
    if not shown:
        return "Not run."
    return "\n\n".join(
        f"![{each.alt}](figures/{each.name}.svg)\n\n"
        f"[PNG](figures/{each.name}.png), [data](figures/{each.name}.csv)"
        for each in shown
    )


def _study(contents: Contents) -> str:
    if contents.study is None:
        return "Not run: `python -m benchmarks.nano.knowledge BUILD` measures it."
    rows = [*contents.points[5], *contents.tables[1]]
    return render_study(contents.study, rows, _pictures(contents, "knowledge"))


def _probe(contents: Contents) -> str:
    probes = contents.runs.probes
    if not probes:
        return "Not run."
    body = []
    for name, result in probes.items():
        for each in result.tables:
            described = each.described_recognised + each.described_not_recognised
            rate = "none described"
            if each.misalignment is not None and each.interval is not None:
                low, high = each.interval
                rate = f"{percent(each.misalignment)} ({percent(low)} to {percent(high)})"
            body.append([name, each.subset, str(each.questions), str(described), rate])
    header = ["model", "landmarks", "asked", "described", "of these not recognised, %"]
    return (
        "The paper shows one example; here is how often it happens. Intervals are over landmarks.\n"
        f"\n{table(header, body)}\n\n" + _pictures(contents, "1")
    )


def _swap(runs: Runs) -> str:
    """Accuracy over both halves of the world, by what half the encoder was taught."""
    halves: tuple[Half, ...] = ("west", "east")
    body = []
    for encoder in halves:
        for name in SWAPPED:
            found = runs.of(name, encoder)
            words = _SWAP_WORDS.get(name) or "-".join(name.removeprefix("table1_").split("_"))
            cells = [
                mean_of(_accuracy(runs, list(found.values()), scope, encoder))
                for scope in ("west", "east", "all")
            ]
            body.append([f"{encoder}: {words.upper() if '-' in words else words}", *cells])
    return (
        "Is it knowledge, or are some landmarks easier? A second encoder was taught the other half "
        "of the world; what it knows and does not know is exchanged, and all else is the same.\n\n"
        + table(["encoder: subset", "west landmarks, %", "east landmarks, %", "all, %"], body)
    )


def _accuracy(runs: Runs, records: list[RunRecord], scope: Scope, encoder: Half) -> Estimate | None:
    if not records:
        return None
    inside = np.flatnonzero(runs.scope(scope, encoder))
    names = runs.clusters(encoder)
    return estimate(
        np.stack([recognised(each) for each in records])[:, inside],
        seeds=[each.seed for each in records],
        clusters=[names[row] for row in inside],
    )


def _method(contents: Contents) -> str:
    return f"""## How the numbers are made

- **Gain**: a row's accuracy less that of its own seed's baseline, on the same landmarks.
- **Interval**: 95 %, for new seeds and new landmarks both ([effects.py](report/effects.py)):
  two-way clustered variance, Student's t with Satterthwaite's degrees of freedom. As a check, a
  two-way bootstrap is in [conclusions.json](conclusions.json).
  {conclusions_page.disagreements(contents.conclusions)} With one seed an interval is over landmarks
  alone.
- **p**: exact paired permutation test over landmarks of the models at hand, all seeds together (a
  landmark's differences change sign together), adjusted by Holm's method over a table's rows. It
  says that these models differ, the interval whether others would: where they disagree, the
  interval counts.
- **Relative gain**: as in the paper's Table 1, mean accuracy over mean baseline less 1.
- Every number is in conclusions.json; every row is a file in [results](results) with the levels of
  each landmark and the manifest of its training."""


def _machines(records: Sequence[RunRecord]) -> str:
    if not records:
        return "## Runs and machines\n\nNo run yet."
    groups: dict[tuple[str, ...], list[RunRecord]] = {}
    for record in records:
        machine = record.machine
        versions = ", ".join(f"{k} {v}" for k, v in sorted(machine.versions.items()))
        key = (machine.architecture, machine.device, str(machine.threads), versions)
        groups.setdefault(key, []).append(record)
    body = []
    for (architecture, device, threads, versions), members in sorted(groups.items()):
        dates = sorted({record.machine.date for record in members})
        minutes = sum(sum(record.seconds.values()) for record in members) / 60
        when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        words = f"{architecture}, {device}, {threads} threads"
        body.append([words, when, str(len(members)), f"{minutes:.0f}", versions])
    listing = [
        [
            record.file.removesuffix(".json"),
            f"{record.machine.device}, {record.machine.date}",
            f"{sum(record.seconds.values()):.0f}",
            record.binding[:12],
        ]
        for record in records
    ]
    return "\n\n".join(
        [
            "## Runs and machines",
            table(["machine", "date", "runs", "minutes", "versions"], body),
            details(
                f"All {len(records)} runs",
                table(["run (file in results)", "made on", "seconds", "binding"], listing),
            ),
        ]
    )
