"""Every record that crosses a file, network or process boundary.

Records forbid unknown fields, so that a misspelt key is an error and not a silent default.
Tabular data (catalog, embeddings, scores) crosses as Arrow tables; their schemas stand with the
stage that writes them. Definitions: docs/definitions.md, "Records".
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """Base of all records: immutable, and strict about unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Status = Literal["ok", "error", "refused", "skipped"]


class Turn(Record):
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: str


class Facts(Record):
    """What is known of a landmark apart from its name and picture.

    Only a procedural world can fill these: they are its ground truth (`ground_truth.parquet`).
    """

    entities: list[str] = Field(default_factory=list)
    description: str = ""
    location: str = ""
    aliases: list[str] = Field(default_factory=list)
    place_hints: list[str] = Field(default_factory=list)


class QaTask(Record):
    """Input of stage 2 for one landmark: the chosen image, its name, and what GLDv2 says of it.

    The image is named by the SHA-256 of its file, not carried: it is read when it is looked at.
    """

    landmark_id: int
    name: str
    image_sha256: str
    hierarchical_label: str | None
    supercategory: str | None
    natural_or_human_made: str | None
    facts: Facts | None = None


class QaRecord(Record):
    """Output of stage 2 (paper, section 3.1): a question about the image and its answer.

    `status` other than "ok" leaves `conversation` empty and says why in `reason`. `repaired`: the
    reply was no valid one until it was repaired (docs/definitions.md, "Replies of models").
    """

    landmark_id: int
    status: Status
    reason: str = ""
    question_id: str = ""
    conversation: list[Turn] = Field(default_factory=list)
    repaired: bool = False
    annotator: str
    prompt_version: str


class EntityTask(Record):
    """Input of stage 3 for one landmark: stage 2's input and output."""

    qa_task: QaTask
    qa: QaRecord


class EntityRecord(Record):
    """Output of stage 3: entities, the refined hierarchical label, and what graders use.

    `hierarchical_label` is None where nothing supports a label; it is never guessed.
    `entities_raw`: as the annotator gave them, before they were cleaned. `repaired`: as in a
    QaRecord.
    """

    landmark_id: int
    status: Status
    reason: str = ""
    entities: list[str] = Field(default_factory=list)
    entities_raw: list[str] = Field(default_factory=list)
    hierarchical_label: str | None = None
    aliases: list[str] = Field(default_factory=list)
    place_hints: list[str] = Field(default_factory=list)
    repaired: bool = False
    annotator: str
    prompt_version: str
