"""The interface every annotator has, offline or paid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mgld.schema import EntityRecord, EntityTask, QaRecord, QaTask

ReadImage = Callable[[QaTask], bytes]
"""Gives the bytes of a task's image file; OSError or ValueError, with the reason, where it cannot.

Called for one task at a time, so that a chunk's images are never in memory together.
"""


class Annotator(Protocol):
    """Makes stage 2 (Q-A) and stage 3 (entities, refined label) of the dataset (paper, figure 2).

    Both methods return one record per task, in the order of the tasks, with the task's landmark_id.
    What cannot be annotated (an unreadable picture, a refusal) is a record with a status and a
    reason; a method raises only for a wrong configuration. An annotator can be pickled.
    """

    @property
    def id(self) -> str:
        """Who annotated, as every record quotes it: "template", or a dated model id."""

    @property
    def prompt_version(self) -> str:
        """Content hash of all that the texts are made from; a change remakes the stages."""

    @property
    def qa_version(self) -> str:
        """What records of stage 2 quote as their prompt version."""

    @property
    def entities_version(self) -> str:
        """What records of stage 3 quote as their prompt version."""

    def answer(self, tasks: Sequence[QaTask], read_image: ReadImage) -> list[QaRecord]:
        """Stage 2: one question drawn by key, and its answer."""

    def annotate(self, tasks: Sequence[EntityTask], read_image: ReadImage) -> list[EntityRecord]:
        """Stage 3: entities, hierarchical label, aliases and place hints."""


def load_annotator(spec: str, *, seed: int) -> Annotator:
    """The annotator named by `spec`; `seed` keys the draw of questions and wordings.

    Only "template" exists in this version: offline, deterministic, free. ValueError otherwise.
    """
    if spec == "template":
        from mgld.annotate.template import TemplateAnnotator

        return TemplateAnnotator(seed=seed)
    raise ValueError(f"unknown annotator {spec!r}: this version has 'template' (offline)")
