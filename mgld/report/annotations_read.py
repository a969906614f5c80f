"""The annotations of a build, read from its tables and from its ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mgld.annotate.quality import Annotated, is_ok, measure
from mgld.annotate.quality_numbers import Quality
from mgld.annotate.spent import CameOutside, StageSpent, came_outside, reply_texts, stage_spent
from mgld.build.read import shard_paths
from mgld.gldv2.labels import LABELS
from mgld.llm import Ledger
from mgld.schema import EntityRecord, QaRecord, Record

if TYPE_CHECKING:
    from mgld.build.read import BuildView

Stage = Literal["qa", "entities"]
STAGES: tuple[Stage, ...] = ("qa", "entities")


class AnnotationReport(Record):
    """How good the annotations of a build are, and what they took.

    spent: one a stage that asked a model, as far as the ledger says. came_outside: None where the
    ledger does not say. notes: what could not be found out, and why.
    """

    annotator: str
    quality: Quality
    spent: list[StageSpent]
    came_outside: CameOutside | None
    notes: list[str]


@dataclass(frozen=True)
class Annotations:
    """The records of a build by landmark_id, their report, and the keys of their requests."""

    annotated: list[Annotated]
    report: AnnotationReport
    keys: dict[Stage, dict[int, str]]
    ledger: Path | None

    def said(self, landmark_ids: set[int]) -> dict[tuple[Stage, int], str]:
        """What the replies about some landmarks say, as they came; of those that the ledger has."""
        if self.ledger is None:
            return {}
        at = {
            key: (stage, landmark_id)
            for stage, keys in self.keys.items()
            for landmark_id, key in keys.items()
            if landmark_id in landmark_ids
        }
        with Ledger(self.ledger, create=False) as ledger:
            texts = reply_texts(ledger, at)
        return {at[key]: text for key, text in texts.items()}


def read_annotations(view: BuildView) -> Annotations:
    """Read and measure the annotations of a build, finished or not.

    FileNotFoundError where stage qa has no table yet; ValueError where a table has records that are
    not the catalog's, which would be a damaged build.
    """
    annotated = _annotated(view)
    labels = [*LABELS, *view.config.extra_labels]
    quality = measure(annotated, labels)
    ledger = _ledger(view)
    keys: dict[Stage, dict[int, str]] = {}
    spent: list[StageSpent] = []
    outside = None
    notes: list[str] = []
    if view.config.model is not None and ledger is None:
        name = view.config.ledger_path(view.root).name
        notes.append(f"there is no {name} any more: what was spent is not known")
    if ledger is not None:
        for stage in STAGES:
            try:
                keys[stage] = _keys(view, stage)
            except (OSError, ValueError) as error:
                notes.append(f"requests of stage {stage} are not known: {error}")
        with Ledger(ledger, create=False) as opened:
            spent = [stage_spent(opened, stage, found.values()) for stage, found in keys.items()]
            if "entities" in keys:
                fit = {each.landmark_id: is_ok(each.entities) for each in annotated}
                ok = {key: fit[landmark_id] for landmark_id, key in keys["entities"].items()}
                outside = came_outside(opened, ok, labels)
    notes += [
        f"{each.unanswered:,} requests of stage {each.stage} have no reply in the ledger"
        for each in spent
        if each.unanswered
    ]
    if not all(each.priced for each in spent):
        notes.append(f"no price of {view.config.model} was known: its dollars were not counted")
    report = AnnotationReport(
        annotator=view.config.annotator,
        quality=quality,
        spent=spent,
        came_outside=outside,
        notes=notes,
    )
    return Annotations(annotated, report, keys, ledger)


def _annotated(view: BuildView) -> list[Annotated]:
    landmarks = view.table("catalog", "landmarks", ["landmark_id", "name", "hierarchical_label"])
    answers = {row["landmark_id"]: QaRecord(**row) for row in _rows(view, "qa")}
    entities = {}
    if shard_paths(view.root, "entities", "part"):
        entities = {row["landmark_id"]: EntityRecord(**row) for row in _rows(view, "entities")}
    found = [
        Annotated(landmark_id, name, label, answers.pop(landmark_id, None),
                  entities.pop(landmark_id, None))
        for landmark_id, name, label in zip(*landmarks.to_pydict().values(), strict=True)
    ]  # fmt: skip
    if answers or entities:
        strays = len(answers.keys() | entities.keys())
        raise ValueError(
            f"{view.root}: {strays:,} landmarks are annotated that the catalog does not have; "
            f"check the build with `mgld verify {view.root}`"
        )
    return found


def _rows(view: BuildView, stage: Stage) -> Iterator[dict[str, Any]]:
    """Rows of a stage without their empty cells, for which records have defaults."""
    for batch in view.table(stage, "part").to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            yield {name: value for name, value in row.items() if value is not None}


def _ledger(view: BuildView) -> Path | None:
    path = view.config.ledger_path(view.root)
    return path if view.config.model is not None and path.is_file() else None


def _keys(view: BuildView, stage: Stage) -> dict[int, str]:
    """Key of the request about each landmark in a stage, as the build makes it now."""
    from mgld.build.annotating import stage_requests

    requests = stage_requests(view.root, stage, whole=True)
    return {int(request.subject): request.key for request in requests}
