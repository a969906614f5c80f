"""The driver's part in annotating with a model: every reply is in the ledger before a shard reads.

Requests are made from tables alone; an image is read when its request is sent. Shards then only
read replies, in whatever process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mgld.annotate import Annotator, load_annotator
from mgld.build.config import BuildConfig
from mgld.build.plan import Context, Step, plan_step, require_before, shard_task
from mgld.build.progress import Progress
from mgld.build.read import BuildView, read_table
from mgld.build.runner import TaskError
from mgld.build.shards import ShardTask
from mgld.build.source import SourceIndex
from mgld.llm import Ledger, Request

if TYPE_CHECKING:
    from mgld.annotate.model import ModelAnnotator


def config_annotator(config: BuildConfig, root: Path) -> Annotator:
    """The annotator of a build in `root`. ValueError where there is none of that name."""
    return load_annotator(
        config.annotator,
        seed=config.seed,
        parameters=config.parameters,
        extra_labels=config.extra_labels,
        ledger=config.ledger_path(root),
    )


def model_annotator(config: BuildConfig, root: Path) -> ModelAnnotator:
    """The same, for what only a model's has; ValueError for an annotator that asks no model."""
    from mgld.annotate.model import ModelAnnotator

    annotator = config_annotator(config, root)
    if not isinstance(annotator, ModelAnnotator):
        raise ValueError(f"the annotator {config.annotator} asks no model")
    return annotator


def require_endpoint(config: BuildConfig, root: Path) -> None:
    """ValueError for a call that could not ask its model: before hours of encoding, not after.

    No key for OpenAI, an address that is none, a budget for a model whose price is not known.
    Where there is a ledger, its replies may be all that is needed, and nothing is required.
    """
    if config.model is None or config.ledger_path(root).exists():
        return
    from mgld.llm.client import sync_client
    from mgld.llm.prices import find_price

    sync_client(config.llm).close()
    if config.llm.max_usd is not None and find_price(config.model, config.llm) is None:
        raise ValueError(
            f"--max-usd needs to know what {config.model} costs, and no price is known: give one "
            "in a file like mgld/llm/prices.yaml (setting llm.prices)"
        )


def step_requests(step: Step, tasks: Sequence[ShardTask]) -> Iterator[Request]:
    """What a model is asked for these shards, shard by shard; few are in memory at a time."""
    assert step.requests is not None
    return chain.from_iterable(map(step.requests, tasks))


def stage_requests(
    root: str | Path, stage: Literal["qa", "entities"], *, whole: bool = False
) -> Iterator[Request]:
    """What the build in `root` asks a model in a stage: for the shards that it would make now.

    `whole`: for all of its shards, made or not. Answered or not; the ledger knows. Nothing is
    written or locked.

    FileNotFoundError: no build. ValueError: nothing built yet, a stage before is not complete, an
    annotator that asks no model.
    """
    from mgld.build.stages import STEPS

    view = BuildView(root)
    folder = view.root.absolute()
    annotator = model_annotator(view.config, folder)
    if view.manifest.facts is None:
        raise ValueError(f"{root}: nothing built yet; `mgld build --out {root}` goes on")
    now = {"annotator_id": annotator.id, "prompt_version": annotator.prompt_version}
    facts = view.manifest.facts.model_copy(update=now)
    source = SourceIndex(folder, view.config.source_root(folder))
    source.recall()
    context = Context(folder, view.config, facts, view.manifest, source)
    step = STEPS[f"{stage}/part"]
    require_before(step, context, STEPS)
    plan = plan_step(step, context)
    shards = [shard for shard in plan if whole or shard.state != "done"]
    # No shard is made of these tasks, so their work folder is never there.
    return step_requests(step, [shard_task(step, s, context, folder / "none") for s in shards])


def reopen_errors(step: Step, context: Context) -> None:
    """Have the shards of an annotating step that hold errors made again, and asked again.

    What was refused or skipped stays as it is. ValueError where the ledger is gone: what is made
    again would be paid again.
    """
    if step.requests is None:
        return
    manifest, root, config = context.manifest, context.root, context.config
    shards = manifest.stage(step.stage).shards
    failed = [
        shard
        for shard in plan_step(step, context)
        if shard.state == "done" and shards[shard.spec.id].counts["landmark"].get("error")
    ]
    keys: list[str] = []
    if config.model is not None and failed:
        if not config.ledger_path(root).is_file():
            landmarks = sum(shards[shard.spec.id].rows for shard in failed)
            raise ValueError(
                f"--retry-errors needs the ledger {config.ledger_path(root)}: without it all "
                f"{landmarks:,} landmarks beside the errors would be asked and paid again"
            )
        for shard in failed:
            rows = read_table(root, step.stage, shard.spec.id, ["landmark_id", "status"])
            wrong = {str(r["landmark_id"]) for r in rows.to_pylist() if r["status"] == "error"}
            task = shard_task(step, shard, context, root / "none")
            keys += [each.key for each in step.requests(task) if each.subject in wrong]
    # The shards first: between the two, a kill leaves shards to be made of the replies there are.
    for shard in failed:
        del shards[shard.spec.id]
    manifest.save(root)
    if keys:
        with Ledger(config.ledger_path(root)) as ledger:
            ledger.forget(keys)


def fetch_replies(
    step: Step, tasks: Sequence[ShardTask], progress: Progress, *, send: bool = True
) -> None:
    """Have all requests of these shards answered in the build's ledger; what it has is not sent.

    Nothing to do where no model is asked.
    TaskError: the budget or the time is used up, the endpoint is away or refuses everything; what
    was answered is kept. Also where replies are missing and `send` is False.
    """
    from mgld.llm.errors import GatherStoppedError

    if step.requests is None or not tasks or tasks[0].config.model is None:
        return
    config, root = tasks[0].config, tasks[0].root
    what = f"{step.stage}/replies"
    try:
        with Ledger(config.ledger_path(root)) as ledger:
            keys = {request.key for request in step_requests(step, tasks)}
            todo = len(keys - ledger.answered())
            progress.start(what, todo, len(keys), "replies")
            if todo and not send:
                raise ValueError(f"{todo:,} of {len(keys):,} replies are not in {ledger.path}")
            if todo:
                said = _send(step_requests(step, tasks), ledger, config, progress)
                if waiting := len(keys - ledger.answered()):
                    raise ValueError(
                        f"{waiting:,} requests are in batches; `mgld annotate collect {root}` "
                        "takes their replies in when they have ended"
                    )
            progress.end()
            if todo:
                progress.note(f"{what}: {said}")
    except (GatherStoppedError, ValueError, OSError) as error:
        raise TaskError(f"{what}: {error}", errno=getattr(error, "errno", None)) from error


def _send(
    requests: Iterator[Request], ledger: Ledger, config: BuildConfig, progress: Progress
) -> str:
    """Have `requests` answered online or in batches; says what that came to."""
    if config.llm.batch:
        from mgld.llm.batch import run_batches

        done = run_batches(requests, ledger, config.llm, on_reply=progress.rows, tell=progress.note)
    else:
        from mgld.llm.online import gather

        done = gather(requests, ledger, config.llm, on_reply=progress.rows)
    said = f"{done.answered:,} replies, {done.errors:,} of them HTTP errors"
    if done.usd:
        said += f", ${done.usd:.4f}"
    if done.lost:
        said += f"; {done.lost:,} requests were lost on their way and may have been paid"
    return said
