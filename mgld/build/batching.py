"""A build's questions to a model through the Batch API: submitted, looked after, collected.

The two stages that a model annotates follow one another: entities are asked for with the answers
of stage qa. What a build is told (model, endpoint, budget, ledger) stands in its configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from mgld.build.annotating import stage_requests
from mgld.build.driver import build_dataset
from mgld.build.progress import Progress, SilentProgress
from mgld.build.read import BuildView
from mgld.build.status import build_status
from mgld.llm import Ledger
from mgld.llm.batch import (
    POLL_SECONDS,
    BatchState,
    Collected,
    Submitted,
    collect,
    poll,
    run_batches,
    submit,
)
from mgld.schema import Record

Stage = Literal["qa", "entities"]
STAGES: tuple[Stage, ...] = ("qa", "entities")

Tell = Callable[[str], None]


class CollectedStage(Record):
    """What a collect did for the stage at hand. `left`: requests without a reply, of `requests`.

    `made`: all replies were there, and the stage's tables were made of them. `next_stage`: the one
    to be submitted next; None where a model has nothing more to do.
    """

    collected: Collected
    stage: Stage | None
    requests: int
    left: int
    made: bool
    next_stage: Stage | None


def next_stage(root: str | Path) -> Stage | None:
    """The stage whose questions are next: qa, else entities; None where both are complete.

    FileNotFoundError: no build. ValueError: an annotator that asks no model, or a stage before is
    not complete.
    """
    states = {state.stage: state for state in build_status(root).stages}
    for stage in STAGES:
        state = states[stage]
        # Shards can be complete for an earlier prompt or model: then there are requests as well.
        asks = next(stage_requests(root, stage), None) is not None
        if asks or state.stale or state.missing or state.waiting:
            return stage
    return None


def submit_stage(
    root: str | Path, *, tell: Tell = lambda line: None
) -> tuple[Stage | None, Submitted]:
    """Submit the questions of the next stage; raises like `next_stage` and `mgld.llm.batch.submit`.

    Returns the stage, None where there is none, and what was submitted.
    """
    stage = next_stage(root)
    if stage is None:
        return None, Submitted()
    view = BuildView(root)
    with Ledger(_ledger_path(view)) as ledger:
        return stage, submit(stage_requests(root, stage), ledger, view.config.llm, tell=tell)


def poll_build(root: str | Path) -> list[BatchState]:
    """The state of every batch of a build's ledger; FileNotFoundError where there is none."""
    view = BuildView(root)
    with Ledger(_ledger_path(view), create=False) as ledger:
        return poll(ledger, view.config.llm)


def collect_stage(
    root: str | Path,
    *,
    workers: int = 1,
    progress: Progress | None = None,
    tell: Tell = lambda line: None,
) -> CollectedStage:
    """Collect what has ended; once the stage at hand has all its replies, make its tables."""
    view = BuildView(root)
    with Ledger(_ledger_path(view), create=False) as ledger:
        collected = collect(ledger, view.config.llm, tell=tell)
        stage = next_stage(root)
        keys: set[str] = set()
        if stage is not None:
            keys = {request.key for request in stage_requests(root, stage)}
        left = len(keys - ledger.answered())
    made = stage is not None and not left
    if stage is not None and made:
        _make(view, stage, workers, progress or SilentProgress())
    return CollectedStage(
        collected=collected,
        stage=stage,
        requests=len(keys),
        left=left,
        made=made,
        next_stage=next_stage(root) if made else stage,
    )


def run_stages(
    root: str | Path,
    *,
    workers: int = 1,
    progress: Progress | None = None,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Submit, wait, collect and make both stages; a stopped run goes on from where it was.

    Raises like `mgld.llm.batch.run_batches` and `build_dataset`.
    """
    progress = progress or SilentProgress()
    view = BuildView(root)
    for stage in STAGES:
        if next_stage(root) != stage:
            continue
        requests = list(stage_requests(root, stage))
        with Ledger(_ledger_path(view)) as ledger:
            answered = ledger.answered()
            todo = sum(request.key not in answered for request in requests)
            progress.start(f"{stage}/batches", todo, len(requests), "replies")
            run_batches(
                requests,
                ledger,
                view.config.llm,
                on_reply=progress.rows,
                poll_seconds=poll_seconds,
                tell=progress.note,
            )
            progress.end()
        _make(view, stage, workers, progress)


def _make(view: BuildView, stage: Stage, workers: int, progress: Progress) -> None:
    build_dataset(
        view.config, view.root, stages=[stage], workers=workers, progress=progress, send=False
    )


def _ledger_path(view: BuildView) -> Path:
    return view.config.ledger_path(view.root.absolute())
