"""How long the miniature takes, beside what was aimed at, by its records' own clocks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Final

from benchmarks.nano.plan import BASELINE, HEADLINE, SEEDS, rows
from benchmarks.nano.record import RunRecord
from benchmarks.nano.report.words import NOT_RUN, table
from eeca_ref.nano.parts import LANGUAGE_MODEL
from mgld.vision.resolve import nano_folder

PARTS_MINUTES: Final = 45
ROW_SECONDS: Final = 240
ROW_SECONDS_GPU: Final = 60
HEADLINE_HOURS: Final = 3
CORES: Final = 2
"""Of the machine that the aims are for; a row has one of them, and another row the other."""


def times_section(records: Sequence[RunRecord]) -> str:
    """What was aimed at and what it took, of training, answering and grading, with loading."""
    on_cpu = [each for each in records if each.machine.device == "cpu"]
    on_gpu = [each for each in records if each.machine.device != "cpu"]
    header = ["what", "aimed at", "measured", "reached"]
    body = [_parts(on_cpu), _rows(on_cpu), _rows_on_gpu(on_gpu), _headline(on_cpu)]
    return (
        f"## What it takes\n\nAims are for {CORES} cores. As it comes, `run` makes {CORES} rows at "
        "a time with one thread each: a row's seconds are those of one core beside a busy one. "
        "World, build and parts, which are made once, are not in it.\n\n"
        + table(header, body, text=["measured", "reached"])
    )


def _parts(records: Sequence[RunRecord]) -> list[str]:
    """Encoder and language model, which are shipped, by their own records, and a baseline."""
    parts = [_minutes(nano_folder()), _minutes(LANGUAGE_MODEL)]
    what = "encoder, language model and a baseline, minutes"
    baselines = [_taken(each) / 60 for each in records if each.row == BASELINE]
    if not baselines:
        return [what, str(PARTS_MINUTES), NOT_RUN, ""]
    parts.append(fmean(baselines))
    sum_of = f"{' + '.join(f'{each:.1f}' for each in parts)} = {sum(parts):.1f}"
    return [what, str(PARTS_MINUTES), sum_of, _yes(sum(parts) <= PARTS_MINUTES)]


def _rows(records: Sequence[RunRecord]) -> list[str]:
    return _seconds_of_a_row(records, "a row of stage 3, seconds", ROW_SECONDS)


def _rows_on_gpu(records: Sequence[RunRecord]) -> list[str]:
    what, aim = "a row of stage 3 on one GPU, seconds", ROW_SECONDS_GPU
    if not records:
        return [what, str(aim), "not measured: no GPU was at hand", ""]
    return _seconds_of_a_row(records, what, aim)


def _seconds_of_a_row(records: Sequence[RunRecord], what: str, aim: int) -> list[str]:
    taken = [_taken(each) for each in records if each.subset and "+" not in each.row]
    if not taken:
        return [what, str(aim), NOT_RUN, ""]
    within = sum(each <= aim for each in taken)
    return [
        what,
        str(aim),
        f"median {median(taken):.0f}, longest {max(taken):.0f}",
        _yes(True) if within == len(taken) else f"by {within} of {len(taken)} runs",
    ]


def _headline(records: Sequence[RunRecord]) -> list[str]:
    """All rows and seeds of Tables 1 and 3 with their baselines, as if the cores never waited."""
    names = {row.name for row in rows(HEADLINE)}
    seeds = SEEDS[HEADLINE[0]]
    mine = [
        each
        for each in records
        if each.encoder == "west" and each.row in names and each.seed < seeds
    ]
    what = f"Tables 1 and 3, {seeds} seeds, hours"
    if len(mine) < len(names) * seeds:
        return [what, str(HEADLINE_HOURS), NOT_RUN, ""]
    hours = sum(map(_taken, mine)) / 3600
    words = f"{hours / CORES:.1f} ({hours:.1f} of one core)"
    return [what, str(HEADLINE_HOURS), words, _yes(hours / CORES <= HEADLINE_HOURS)]


def _taken(record: RunRecord) -> float:
    """Seconds of a run: of the process that finished it, or of its steps where it was resumed."""
    return max(record.spent, sum(record.seconds.values()))


def _minutes(folder: Path) -> float:
    """How long a shipped model's training took."""
    return float(json.loads((folder / "training.json").read_text(encoding="utf-8"))["minutes"])


def _yes(reached: bool) -> str:
    return "yes" if reached else "**no**"
