"""The interface every annotator has, offline or paid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from mgld.llm.request import Parameters
from mgld.schema import EntityRecord, EntityTask, QaRecord, QaTask

MODEL_PREFIX = "openai:"

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


def load_annotator(
    spec: str,
    *,
    seed: int,
    parameters: Parameters | None = None,
    extra_labels: Sequence[str] = (),
    ledger: Path | None = None,
) -> Annotator:
    """The annotator named by `spec`; `seed` keys the draw of questions and wordings.

    "template": offline, deterministic, free. "openai:MODEL": a model of an OpenAI-compatible
    endpoint, sent `parameters`, whose replies are read from the file `ledger`; it may give
    `extra_labels` beside GLDv2's. The last three mean nothing to "template". ValueError otherwise.
    """
    if spec == "template":
        from mgld.annotate.template import TemplateAnnotator

        return TemplateAnnotator(seed=seed)
    model = model_of(spec)
    if model is None:
        raise ValueError(
            f"unknown annotator {spec!r}: there is 'template' (offline) and 'openai:MODEL'"
        )
    from mgld.annotate.model import ModelAnnotator

    return ModelAnnotator(
        model=model,
        seed=seed,
        parameters=parameters or Parameters(),
        extra_labels=tuple(extra_labels),
        ledger=ledger,
    )


def model_of(spec: str) -> str | None:
    """The model that an annotator asks, None for one that asks none: "openai:gpt-x" -> "gpt-x"."""
    return (
        spec.removeprefix(MODEL_PREFIX).strip() or None if spec.startswith(MODEL_PREFIX) else None
    )
