"""The driver: plans each step, has a runner make what is missing, and records what came out.

One driver per build folder (a lock), and only the driver moves files to their place and writes the
manifest. A build that stops at any moment goes on where it was when the same call is made again.
"""

from __future__ import annotations

import errno
import secrets
import shutil
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from mgld.build.annotating import fetch_replies, reopen_errors, require_endpoint
from mgld.build.config import BuildConfig, save_config
from mgld.build.environment import environment
from mgld.build.facts import learn_facts
from mgld.build.folder import WORK_FOLDER, locked, open_folder, prune, publish
from mgld.build.manifest import STAGE_NAMES, Manifest, ShardEntry, fingerprint
from mgld.build.plan import Context, Step, plan_step, require_before, shard_task, step_settings
from mgld.build.progress import Progress, SilentProgress
from mgld.build.runner import TaskError
from mgld.build.source import SourceIndex, require_source
from mgld.build.stages import STEPS
from mgld.build.stages.catalog import listed
from mgld.build.workplace import LOCAL, Workplace, open_workplace
from mgld.files import write_text_atomically
from mgld.scoring import default_test_size

SOURCE_FOLDER = "source"


class BuildError(RuntimeError):
    """A build stopped because a shard could not be made. `details`: the worker's traceback."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class BuildStoppedError(RuntimeError):
    """A build was stopped by Ctrl-C or SIGTERM; what was finished is kept."""


def build_dataset(
    config: BuildConfig,
    out: str | Path,
    *,
    stages: Sequence[str] = STAGE_NAMES,
    workers: int | None = None,
    runner: str = LOCAL,
    exchange: str | None = None,
    progress: Progress | None = None,
    retry_errors: bool = False,
    send: bool = True,
) -> Manifest:
    """Build, or bring up to date, the dataset of `config.source` in the folder `out`.

    Makes what is missing or no longer fits its inputs and settings, and nothing else. `stages`:
    only these, the ones before them must be complete. `workers`: processes; None: this one, and on
    Ray as many as fit. `runner`: `local`, `ray` or `ray://HOST:PORT` (docs/cluster.md); on Ray
    `out` is a folder that all machines see, or `exchange` an fsspec URL that they all reach. The
    result depends on none of these. `retry_errors`: annotations that ended in an error are made
    again, a model's replies for them asked anew. `send`: False asks a model nothing, its replies
    must be in the ledger. Returns the manifest.

    ValueError: a folder that is no build, another build running in it, a stage that lacks what it
    reads, or sizes that the catalog cannot fill. FileNotFoundError: no source. OSError: a full
    disk. BuildError: a shard failed, encoder or annotator could not be loaded, a model's replies
    could not be had (budget, time, endpoint).
    BuildStoppedError: Ctrl-C or SIGTERM. A call refused before its first shard leaves a finished
    build finished, under the settings it was made with.
    """
    root = Path(out).absolute()
    progress = progress or SilentProgress()
    unknown = set(stages) - set(STAGE_NAMES)
    if unknown:
        raise ValueError(f"no stage {', '.join(sorted(unknown))}; it is {', '.join(STAGE_NAMES)}")
    with locked(root), _stoppable(root), _explained(root):
        manifest = open_folder(root)
        if manifest.facts is None:  # nothing is made yet; `mgld status` and a rerun know the call
            save_config(config, root)
        if config.world_landmarks is None:
            require_source(config.source_root(root))
        source = SourceIndex(root, config.source_root(root))
        steps = [step for step in STEPS.values() if step.stage in stages]
        packages = environment()
        made_in = fingerprint(packages)[:12]
        with open_workplace(runner, workers, exchange, config, progress) as place:
            if send and {"qa", "entities"} & set(stages):
                require_endpoint(config, root)
            # Before the source, which can take hours to draw or to hash.
            facts = learn_facts(config, stages, root, made_in, place.runner)
            _write_world(config, root, workers or 1, progress)
            source.refresh(place.runner, progress)
            context = Context(root, config, facts, manifest, source)
            for step in steps[:1]:
                require_before(step, context, STEPS)
            if "splits" in stages:
                _require_sizes(context)
            # Nothing speaks against the call. The facts first: between the two files, a kill leaves
            # facts that what is there does not fit, and never ones that it only seems to fit.
            source.remember()
            manifest.environments[made_in] = packages
            manifest.facts = facts
            manifest.save(root)
            save_config(config, root)
            for step in steps:
                if retry_errors:
                    reopen_errors(step, context)
                _run_step(step, context, place, progress, made_in, send)
                if step.stage == "catalog" and "splits" in stages:
                    _require_sizes(context)
        _drop_environments(manifest)
        manifest.save(root)
        shutil.rmtree(root / WORK_FOLDER, ignore_errors=True)
    return manifest


@contextmanager
def _stoppable(root: Path) -> Iterator[None]:
    """Make SIGTERM a KeyboardInterrupt, and that a message; only a main thread hears signals."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if main else None
    try:
        yield
    except KeyboardInterrupt:
        raise BuildStoppedError(
            "stopped; finished shards are kept, the same command goes on from here "
            f"(`mgld status {root}` shows where it is)"
        ) from None
    finally:
        if main:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextmanager
def _explained(root: Path) -> Iterator[None]:
    """Say of a failed shard or a full disk what is left and what to do."""
    try:
        yield
    except (TaskError, OSError) as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(
                error.errno,
                f"no space left on the disk of {root}: nothing is written by halves, finished "
                f"shards are kept; free some space and run the same command again ({error})",
            ) from error
        if isinstance(error, OSError):
            raise
        raise BuildError("\n".join([str(error), *_notes(error)]), error.details) from error


def _notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


def _write_world(config: BuildConfig, root: Path, workers: int, progress: Progress) -> None:
    """Write the procedural source into the build, where it is not there yet."""
    landmarks = config.world_landmarks
    if landmarks is None:
        return
    from mgld.world.write import STAMP_FILE, world_stamp, write_world

    folder = root / SOURCE_FOLDER
    marker = folder / ".complete"
    identity = f"world:{landmarks}\n"
    if marker.is_file() and marker.read_text(encoding="utf-8") == identity:
        return
    for left in folder.glob(".*.tmp"):  # of a killed build
        left.unlink(missing_ok=True)
    stamp = folder / STAMP_FILE
    if stamp.is_file() and stamp.read_text(encoding="utf-8") != world_stamp(landmarks):
        # Another world, of an earlier setting. The folder is ours: the source of this build.
        shutil.rmtree(folder)
    drawn: int | None = None

    def tell(done: int, total: int) -> None:
        nonlocal drawn
        if drawn is None:
            progress.note(f"source/world: {total - done:,} images to draw")
            progress.start("source/world", total - done, total, "images")
        else:
            progress.rows(done - drawn)
        drawn = done

    write_world(folder, landmarks=landmarks, workers=workers, progress=tell)
    progress.end()
    write_text_atomically(marker, identity)


def _run_step(
    step: Step,
    context: Context,
    place: Workplace,
    progress: Progress,
    made_in: str,
    send: bool,
) -> None:
    """Make the shards of one step that are missing or stale, and drop those no longer wanted."""
    require_before(step, context, STEPS)
    manifest, root = context.manifest, context.root
    settings = step_settings(step, context.config, context.facts)
    manifest.stage(step.stage).settings[step.name] = settings
    plan = plan_step(step, context)
    prune(step, plan, manifest, root)
    todo = [shard for shard in plan if shard.state != "done"]
    for name in step.seals if todo else ():
        (root / step.stage / name).unlink(missing_ok=True)
    work = root / WORK_FOLDER / secrets.token_hex(8)
    tasks = [shard_task(step, shard, context, work) for shard in todo]
    by_id = {shard.spec.id: shard for shard in todo}
    try:
        fetch_replies(step, tasks, progress, send=send)
        progress.start(step.key, len(todo), len(plan))
        for task, output in place.make(step, tasks, todo, manifest, progress.rows):
            shard = by_id[task.shard]
            files = publish(output, task, root / step.stage)
            manifest.stage(step.stage).shards[task.shard] = ShardEntry(
                inputs=shard.inputs,
                settings=shard.settings,
                environment=made_in,
                files=files,
                rows=output.made.rows,
                counts=output.made.counts,
            )
            manifest.save(root)
            progress.shard()
    except TaskError as error:
        if any(stage.shards for stage in manifest.stages.values()):
            error.add_note(
                "Finished shards are kept; once this is put right, the same command goes on "
                "from here."
            )
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    progress.end()


def _require_sizes(context: Context) -> None:
    """ValueError where the catalog, if it is complete, is too small for the sizes asked for.

    Known before the hours of encoding; stage splits looks again, at the records there are by then.
    """
    if any(shard.state != "done" for shard in plan_step(STEPS["catalog/tables"], context)):
        return
    config, landmarks = context.config, listed(context, "landmark")
    test = default_test_size(landmarks) if config.test_size is None else config.test_size
    largest = max(config.sizes or [0])
    if test + largest > landmarks:
        asked = f"a subset of {largest} was asked for" if largest else "the test is too large"
        raise ValueError(
            f"{asked}: {landmarks} landmarks less {test} test records leave at most "
            f"{max(landmarks - test, 0)} training records; see --sizes and --test-size"
        )


def _drop_environments(manifest: Manifest) -> None:
    """Forget the environments in which no shard of the build was made."""
    used = {s.environment for stage in manifest.stages.values() for s in stage.shards.values()}
    manifest.environments = {k: v for k, v in manifest.environments.items() if k in used}
