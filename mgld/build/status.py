"""What a build has done, what is missing, and whether every image and landmark is accounted for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mgld.build.manifest import STAGE_NAMES, Manifest
from mgld.build.plan import Context, plan_step
from mgld.build.read import BuildView
from mgld.build.shards import Counts
from mgld.build.source import SourceIndex
from mgld.build.stages import STEPS
from mgld.build.stages.image_index import MISSING
from mgld.build.stages.image_vectors import NOT_LISTED
from mgld.schema import Record


class StageStatus(Record):
    """One stage. `counts`: what was counted -> status -> how many, over its finished shards.

    Shards are `done`; `stale`: what they read or a setting has changed since; `missing`. `waiting`:
    a stage before it is not complete, so that its shards are not all known. `errors`: rows of its
    finished shards that failed, each counted in the stage where it failed (`count_errors`).
    """

    stage: str
    done: int
    stale: int
    missing: int
    waiting: bool
    rows: int
    errors: int
    counts: Counts


class Balance(Record):
    """A sum that must come out: `total` is the sum of `parts`. `balanced` says whether it does."""

    what: str
    total: int
    parts: dict[str, int]
    balanced: bool


class BuildStatus(Record):
    """`complete`: every shard of every stage is done. `balances`: only of stages that are done."""

    complete: bool
    stages: list[StageStatus]
    balances: list[Balance]


def build_status(root: str | Path) -> BuildStatus:
    """Look at a build; nothing is written, loaded or locked, and the source may be away.

    FileNotFoundError where `root` is no build.
    """
    view = BuildView(root)
    stages = _stages(view)
    done = {stage.stage for stage in stages if not (stage.stale or stage.missing or stage.waiting)}
    return BuildStatus(
        complete=len(done) == len(stages),
        stages=stages,
        balances=_balances({s.stage: s.counts for s in stages if s.stage in done}),
    )


def _stages(view: BuildView) -> list[StageStatus]:
    facts = view.manifest.facts
    source = SourceIndex(view.root, view.source_root())
    source.recall()
    states: dict[str, Counter[str]] = {name: Counter() for name in STAGE_NAMES}
    incomplete: set[str] = set()
    waiting: set[str] = set()
    for step in STEPS.values():
        if facts is None or incomplete & set(step.after):
            waiting.add(step.stage)
            incomplete.add(step.key)
            continue
        context = Context(view.root, view.config, facts, view.manifest, source)
        plan = plan_step(step, context)
        states[step.stage].update(shard.state for shard in plan)
        if any(shard.state != "done" for shard in plan):
            incomplete.add(step.key)
    counts = {name: total_counts(view.manifest, name) for name in STAGE_NAMES}
    return [
        StageStatus(
            stage=name,
            done=states[name]["done"],
            stale=states[name]["stale"],
            missing=states[name]["missing"],
            waiting=name in waiting,
            rows=sum(shard.rows for shard in view.manifest.stage(name).shards.values()),
            errors=count_errors(name, counts[name]),
            counts=counts[name],
        )
        for name in STAGE_NAMES
    ]


def total_counts(manifest: Manifest, stage: str) -> Counts:
    """The counts of a stage's finished shards, added up."""
    total: dict[str, Counter[str]] = {}
    for shard in manifest.stage(stage).shards.values():
        for what, statuses in shard.counts.items():
            total.setdefault(what, Counter()).update(statuses)
    return {what: dict(sorted(statuses.items())) for what, statuses in sorted(total.items())}


def count_errors(stage: str, counts: Counts) -> int:
    """Rows of a stage that failed in it.

    catalog: rejected rows of the tables. embeddings: members of the archives that are no readable
    image; one that is merely not in the catalog (`unlisted`) did not fail. selection: landmarks
    left without an image. qa, entities: `error` and `refused`. The later stages add none: what they
    leave out (`skipped`, not annotated) failed before and is counted there.
    """
    if stage == "catalog":
        return sum(statuses.get("rejected", 0) for statuses in counts.values())
    if stage == "embeddings":
        return _all_but(counts.get("row", {}), "ok", NOT_LISTED)
    if stage in ("selection", "qa", "entities"):
        return _all_but(counts.get("landmark", {}), "ok", "skipped")
    return 0


def _all_but(statuses: dict[str, int], *good: str) -> int:
    return sum(number for status, number in statuses.items() if status not in good)


def _balances(counts: dict[str, Counts]) -> list[Balance]:
    """Every sum that can be taken of the stages that are done."""
    balances: list[Balance] = []

    def add(what: str, total: int, parts: dict[str, int]) -> None:
        balanced = total == sum(parts.values())
        balances.append(Balance(what=what, total=total, parts=parts, balanced=balanced))

    catalog = counts.get("catalog", {})
    for name, rows in catalog.items():
        if "rows" in rows:
            parts = {key: rows[key] for key in ("accepted", "rejected")}
            add(f"rows of {name}", rows["rows"], parts)
    selection = counts.get("selection", {})
    if selection:
        add("images of the catalog", catalog["image"]["listed"], selection["image"])
        add("landmarks of the catalog", catalog["landmark"]["listed"], selection["landmark"])
        rows = counts["embeddings"]["row"]
        parts = {
            "images of the catalog": sum(selection["image"].values()),
            "further copies": selection["row"]["further_copy"],
            "not of the catalog": counts["embeddings"]["row_of"]["nothing_listed"],
        }
        parts["images of the catalog"] -= selection["image"].get(MISSING, 0)
        add("members of the archives", sum(rows.values()), parts)
        add("members given a similarity", sum(rows.values()), counts["embeddings"]["sim"])
    for stage in ("qa", "entities", "scores"):
        if stage in counts:
            listed = catalog["landmark"]["listed"]
            add(f"landmarks in {stage}", listed, counts[stage]["landmark"])
    if "splits" in counts:
        chosen = dict(selection["landmark"])
        selected = chosen.pop("ok", 0)
        records = counts["splits"]["record"]
        not_annotated = counts["splits"]["landmark"]["not_annotated"]
        parts = {"records": sum(records.values()), "not_annotated": not_annotated}
        add("selected landmarks", selected, parts)
        add("landmarks to records", catalog["landmark"]["listed"], {**parts, **chosen})
        if "dataset" in counts:
            parts = {"rows of config full": counts["dataset"]["full"]["rows"]}
            add("records", sum(records.values()), parts)
    return balances
