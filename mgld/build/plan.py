"""What there is to do: the shards of each step, and whether each still fits what it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mgld.build.config import BuildConfig
from mgld.build.manifest import BuildFacts, Manifest, ShardEntry, fingerprint
from mgld.build.shards import Make, ShardTask
from mgld.build.source import SourceIndex
from mgld.llm import Request

State = Literal["done", "stale", "missing"]


@dataclass(frozen=True)
class ShardSpec:
    """A shard as its step lists it.

    `id` is `step name-...`, or the step's name where there is one shard. `reads` are the outputs of
    earlier steps it depends on: a path, or the start of several ("catalog/names",
    "embeddings/images-"). `sources` are keys of `SourceIndex.digests`. `argument` is what `make`
    needs to know besides.
    """

    id: str
    reads: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    argument: Any = None


@dataclass(frozen=True)
class Context:
    """What planning looks at."""

    root: Path
    config: BuildConfig
    facts: BuildFacts
    manifest: Manifest
    source: SourceIndex


@dataclass(frozen=True)
class Step:
    """A set of like shards in one stage's folder; most stages are one step.

    `version` goes up when the code of `make` comes to mean something else. `settings` are all that
    matters to the output besides what is read: a change of any of them remakes the step's shards.
    `after`: the steps that must be complete before `shards` can be listed. `seals`: files of the
    stage that vouch for it as a whole; they are removed before a shard of the step is remade.
    `requests`: what a model is asked for a shard, where the annotator is one; the driver has it
    answered before `make` is called. `portable`: `make` needs nothing of the build but `reads`, and
    that is little beside its work: a machine may make it that does not see the build folder.
    """

    stage: str
    name: str
    version: int
    after: tuple[str, ...]
    settings: Callable[[BuildConfig, BuildFacts], dict[str, Any]]
    shards: Callable[[Context], list[ShardSpec]]
    make: Make
    seals: tuple[str, ...] = ()
    requests: Callable[[ShardTask], Iterator[Request]] | None = None
    portable: bool = False

    @property
    def key(self) -> str:
        """Unique name, e.g. "embeddings/images"."""
        return f"{self.stage}/{self.name}"

    def owns(self, shard_id: str) -> bool:
        """Whether a shard of the stage belongs to this step."""
        return shard_id == self.name or shard_id.startswith(f"{self.name}-")


@dataclass(frozen=True)
class PlannedShard:
    """A shard with the binding it must have, and whether it has it."""

    spec: ShardSpec
    inputs: str
    settings: str
    versions: dict[str, str]
    state: State


def plan_step(step: Step, context: Context) -> list[PlannedShard]:
    """The shards of a step whose `after` steps are complete, each with its state."""
    settings = fingerprint(step_settings(step, context.config, context.facts))
    entries = context.manifest.stage(step.stage).shards
    content = {path: entry.sha256 for path, entry in context.manifest.files().items()}
    planned = []
    known: dict[str, str] = {}  # many shards read the same
    for spec in step.shards(context):
        for read in spec.reads:
            if read not in known:
                known[read] = fingerprint({p: h for p, h in content.items() if p.startswith(read)})
        versions = {read: known[read] for read in spec.reads}
        versions |= {key: context.source.digests.get(key, "absent") for key in spec.sources}
        inputs = fingerprint(versions)
        entry = entries.get(spec.id)
        state: State = "missing"
        if entry is not None:
            bound = (entry.inputs, entry.settings) == (inputs, settings)
            state = "stale"
            if bound:
                state = "done" if _files_there(context.root, entry) else "missing"
        planned.append(PlannedShard(spec, inputs, settings, versions, state))
    return planned


def step_settings(step: Step, config: BuildConfig, facts: BuildFacts) -> dict[str, Any]:
    """The settings that matter to a step, with the version of its code."""
    return {"code": step.version, **step.settings(config, facts)}


def require_before(step: Step, context: Context, steps: dict[str, Step]) -> None:
    """ValueError unless every one of `steps` that `step` depends on is complete."""
    wanted = set(step.after)
    for key in reversed(steps):  # those that depend come before what they depend on
        if key in wanted:
            wanted |= set(steps[key].after)
    for key, before in steps.items():
        if key in wanted and any(s.state != "done" for s in plan_step(before, context)):
            raise ValueError(
                f"stage {step.stage} needs stage {before.stage}, which is not complete: "
                "run `mgld build` without --stage, or name it too"
            )


def shard_task(step: Step, shard: PlannedShard, context: Context, work: Path) -> ShardTask:
    """The task of a planned shard, to be made in a folder of its own below `work`."""
    return ShardTask(
        root=context.root,
        work=work / fingerprint(shard.spec.id)[:16],
        source_root=context.config.source_root(context.root),
        config=context.config,
        facts=context.facts,
        step=step.key,
        stage=step.stage,
        shard=shard.spec.id,
        argument=shard.spec.argument,
        versions=shard.versions,
    )


def _files_there(root: Path, entry: ShardEntry) -> bool:
    """Whether the files exist with the right size; their content is `mgld verify`'s business."""
    return all(_size(root / path) == file.bytes for path, file in entry.files.items())


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
