"""`make nano`: a row of Table 1 and one of Table 3 made again, beside what is recorded of them."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.nano.plan import BASELINE
from benchmarks.nano.record import LETTERS, RESULTS, RunRecord, read_records
from benchmarks.nano.run import Job, run_jobs
from mgld.evaluate.paired import sign_flip_p

ROWS: Final = (BASELINE, "table1_hds_25k", "table3_hr_branch")
SEED: Final = 0
RUNS: Final = "check"
FAR: Final = 0.01
"""Rounding differs from machine to machine, and training carries it far: another machine gives
another sample of the same row. A difference that pairs of landmarks would show by chance less often
than this is more than that. The same machine gives the same answers; but processors of different
generations go by one name in a virtual machine, so that a difference there is said, not refused."""


def check(root: Path, *, stored: Path = RESULTS) -> bool:
    """Make the rows anew in `root`/check, print both, and say whether they agree.

    Killed, the same call goes on. What agrees is removed, so that the next call begins anew; what
    does not is kept to be looked at.
    """
    from benchmarks.nano.plan import rows

    every = {row.name: row for row in rows()}
    made = {
        each.row: each
        for each in run_jobs(
            root,
            [Job("west", SEED, every[name]) for name in ROWS],
            results=root / RUNS / "results",
            runs=RUNS,
        )
    }
    kept = {
        each.row: each
        for each in read_records(stored)
        if (each.encoder, each.seed) == ("west", SEED)
    }
    agree = True
    for name in ROWS:
        if name not in kept:
            print(f"{name}: not recorded, so there is nothing to compare with")
            agree = False
            continue
        line, fits = compare(kept[name], made[name])
        print(f"{name}: {line}")
        agree &= fits
    if agree:
        shutil.rmtree(root / RUNS, ignore_errors=True)
    else:
        print(f"kept: {root / RUNS} (remove it, and the next call begins anew)")
    return agree


def compare(kept: RunRecord, made: RunRecord) -> tuple[str, bool]:
    """A line about a row made again, and whether it fits the recorded one."""
    if len(kept.levels) != len(made.levels):
        return f"recorded on {len(kept.levels)} landmarks, made on {len(made.levels)}", False
    same = sum(a == b for a, b in zip(kept.levels, made.levels, strict=True))
    right = [
        np.array([LETTERS[each] in ("strongly_known", "known") for each in record.levels])
        for record in (kept, made)
    ]
    change = right[1].astype(np.int64) - right[0].astype(np.int64)
    p = sign_flip_p(change, np.arange(len(change)))
    bound, here = kept.binding == made.binding, kept.processor == made.processor
    inputs = "the same" if bound else "another build, parts or versions"
    place = "this kind of machine" if here else "another machine"
    line = (
        f"accuracy {right[0].mean():.2%} recorded ({kept.machine.date}, {place}), "
        f"{right[1].mean():.2%} now, of {inputs}; {same} of {len(kept.levels)} levels are the same"
    )
    if kept.said == made.said:
        return f"{line}, and every landmark has as many right answers", True
    if bound and here:
        line += ", though the same machine gives the same numbers: is this another one of its name?"
    line += f"; p {p:.2g}"
    changed = int(np.abs(change).sum())
    told = _told(changed)
    if told <= changed:
        line += f" ({told / len(change):.1%} would be told from chance)"
    return line, p >= FAR


def _told(changed: int) -> int:
    """The smallest difference that the test tells from chance where so many landmarks changed; more
    than `changed`: none."""
    tail = 0
    for lost in range(changed + 1):
        tail += math.comb(changed, lost)
        if 2 * tail >= FAR * 2**changed:
            return changed - 2 * lost + 2
    return changed
