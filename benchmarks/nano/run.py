"""Run rows of the miniature, as many at a time as there are cores, and keep what came of them.

What is recorded already under the same binding is not made again; what was killed goes on. A row
is made in a process of its own with one thread, so its numbers depend neither on what ran beside it
nor on how many cores there are.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path

from benchmarks.nano.bindings import RowBindings, row_bindings
from benchmarks.nano.data import make_data, questions_of
from benchmarks.nano.encoders import encoder_of
from benchmarks.nano.keeping import Key, baseline_of, keep, keep_questions, key_of, stands
from benchmarks.nano.machine import settle
from benchmarks.nano.making import make_row
from benchmarks.nano.place import STAGES, Place
from benchmarks.nano.plan import BASELINE, HEADLINE, RULE, SEEDS, Row, rows, swapped
from benchmarks.nano.record import RESULTS, RunRecord, read_records
from benchmarks.nano.rule_subsets import write_rule_subsets
from eeca_ref.training.origins import fingerprint
from mgld.processes import stay_with_parent
from mgld.world.lexicon import Half


@dataclass(frozen=True)
class Job:
    """One row with one seed and encoder."""

    half: Half
    seed: int
    row: Row

    @property
    def key(self) -> Key:
        """Which record it becomes."""
        return self.half, self.seed, self.row.name

    @property
    def label(self) -> str:
        """As it is called in what is shown."""
        return f"{self.row.name}, seed {self.seed}" + (", east" if self.half == "east" else "")


def jobs(parts: Sequence[str], seeds: int | None = None) -> list[Job]:
    """What the parts of the paper want, seed by seed, baselines first.

    parts: of `plan.PARTS`. seeds: how many of each; None: `plan.SEEDS`.
    """
    wanted: dict[tuple[Half, int, str], Job] = {}
    for part in parts:
        half: Half = "east" if part == "swap" else "west"
        for seed in range(seeds or SEEDS[part]):
            for row in swapped() if part == "swap" else rows((part,)):
                wanted.setdefault((half, seed, row.name), Job(half, seed, row))
    return sorted(wanted.values(), key=lambda job: (job.half != "west", job.seed))


def run(
    root: Path,
    parts: Sequence[str] = HEADLINE,
    *,
    seeds: int | None = None,
    device: str | None = None,
    workers: int = 2,
) -> list[RunRecord]:
    """Make what is missing of the parts' rows; all records of them. See `run_jobs`."""
    return run_jobs(root, jobs(parts, seeds), device=device, workers=workers)


def run_jobs(
    root: Path,
    every: Sequence[Job],
    *,
    device: str | None = None,
    workers: int = 2,
    results: Path = RESULTS,
    runs: str = "",
) -> list[RunRecord]:
    """Make what is not recorded of some rows, and what they begin from; all records of them.

    root: `out/nano`, relative to the working directory, as recipes name their files. every: with
    the baseline of each of their seeds. device: of training and answering. workers: rows at a time.
    runs: as in `Place`.

    RuntimeError: a row failed; the others are made first. Or what is made here is another baseline
    or test set than recorded rows have that are not among these.
    """
    places = {half: Place(root, half, runs) for half in dict.fromkeys(job.half for job in every)}
    for place in places.values():
        encoder = encoder_of(place, results, note=_say)
        make_data(place, encoder=encoder, workers=workers, note=_say)
        if any(job.row.rule == RULE and job.half == place.half for job in every):
            _say(f"subsets by {RULE}: {place.rules}")
            write_rule_subsets(place, RULE)
    mine = {job.key for job in every}
    questions = keep_questions(questions_of(list(places.values())), results, mine)
    bindings = {
        job: row_bindings(places[job.half], job.row, job.seed, questions.sha256[job.half])
        for job in every
    }
    todo = _not_recorded(every, bindings, results)
    _say(f"{len(every)} rows, {len(every) - len(todo)} of them recorded: {results}")

    def lies_there(job: Job) -> bool:
        place, recorded = places[job.half], baseline_of(job.half, job.seed, results)
        if not place.holds(job.seed, STAGES[-1], bindings[job].baseline):
            return False
        return fingerprint(place.run(job.seed, STAGES[-1]) / "model") == recorded

    # Rows begin from their seed's baseline: where the one that is recorded was made elsewhere, it
    # is made again, and with it the rows that began from the other one.
    seeds = {(job.half, job.seed) for job in todo}
    baselines = [
        job
        for job in every
        if job.row.name == BASELINE
        and (job in todo or ((job.half, job.seed) in seeds and not lies_there(job)))
    ]

    def make(some: Sequence[Job]) -> None:
        calls = {
            job: partial(
                _one, places[job.half], job.row, job.seed, bindings=bindings[job], device=device
            )
            for job in some
        }
        _make(calls, workers=workers, write=lambda record: keep(record, results, mine))

    make(baselines)
    make(_not_recorded(every, bindings, results))
    return [each for each in read_records(results) if key_of(each) in mine]


def _not_recorded(
    every: Sequence[Job], bindings: Mapping[Job, RowBindings], results: Path
) -> list[Job]:
    """Those of which no record says what they would be made of now."""
    there = {key_of(each): each for each in read_records(results)}
    return [job for job in every if not stands(job.key, bindings[job].row, there)]


def _make(
    calls: Mapping[Job, Callable[[], RunRecord]],
    *,
    workers: int,
    write: Callable[[RunRecord], None],
) -> None:
    """Make rows, `workers` at a time, and have each written.

    RuntimeError, after all of them: some failed.
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # of the workers, which are started anew for each row
    context, failed, began = get_context("spawn"), [], time.monotonic()
    others = set(active_children())
    with ProcessPoolExecutor(
        workers, context, initializer=stay_with_parent, max_tasks_per_child=1
    ) as pool:
        running = {pool.submit(call): job for job, call in calls.items()}
        try:
            for number, future in enumerate(as_completed(running), 1):
                job = running[future]
                try:
                    record = future.result()
                    write(record)
                except Exception as error:
                    failed.append(f"{job.label}: {type(error).__name__}: {error}")
                    _say(f"[{number} of {len(calls)}] FAILED: {failed[-1]}")
                    continue
                left = (time.monotonic() - began) / number * (len(calls) - number) / 60
                _say(
                    f"[{number} of {len(calls)}] {job.label}: accuracy {record.accuracy:.1%}, "
                    f"{sum(record.seconds.values()):.0f} s; about {left:.0f} minutes left"
                )
        except BaseException:  # Ctrl-C: leaving the pool would make all rows that wait
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(active_children()) - others:
                worker.terminate()
            raise
    if failed:
        raise RuntimeError("some rows failed:\n" + "\n".join(failed))


def _one(
    place: Place, row: Row, seed: int, *, bindings: RowBindings, device: str | None
) -> RunRecord:
    """Runs in a worker process."""
    settle(device)
    # The trainer and its libraries speak of every step: a row's own log has it.
    log = place.seed(seed) / "logs" / f"{row.name}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as handle:
        os.dup2(handle.fileno(), sys.stdout.fileno())
        os.dup2(handle.fileno(), sys.stderr.fileno())
        try:
            return make_row(place, row, seed, bindings=bindings, device=device)
        except Exception:
            traceback.print_exc()
            raise


def _say(line: str) -> None:
    print(line, flush=True)
