"""The annotator behind a model: requests out of tasks, records out of the ledger's replies.

It sends nothing. Who builds asks it for the requests of all tasks, has them answered into a ledger
(online or in batches), and then calls `answer` and `annotate`, which only read. So a better way of
reading replies costs nothing: raise `READING`, and the records are made anew from the replies that
are there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from mgld.annotate.base import ReadImage
from mgld.annotate.cleaning import clean_aliases, clean_entities, clean_hints, clean_text
from mgld.annotate.questions import draw_question, prompt_bytes
from mgld.annotate.replies import (
    ENTITIES_SCHEMA,
    QA_SCHEMA,
    EntitiesReply,
    QaReply,
    entities_reply,
)
from mgld.gldv2.labels import LABELS
from mgld.llm.ledger import Ledger, StoredReply
from mgld.llm.prompts import Prompt, load_prompt_file
from mgld.llm.request import Image, OutputSchema, Parameters, Request
from mgld.llm.structured import output_schema, read_structured
from mgld.llm.wire import read_reply
from mgld.schema import EntityRecord, EntityTask, QaRecord, QaTask, Status, Turn

READING = 1
"""Goes up when replies come to be read differently; part of the prompt version of a build."""
MAX_REASON = 500
_FILES = ("qa.md", "entities.md", "questions.yaml", "labels.yaml")

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Read(Generic[T]):
    """A reply as it is read: `value` where `status` is "ok", else why not."""

    status: Status
    value: T | None = None
    repaired: bool = False
    reason: str = ""


@dataclass(frozen=True)
class ModelAnnotator:
    """Stages 2 and 3 by `model` of any OpenAI-compatible endpoint (see the module).

    `seed` keys the draw of questions. `extra_labels` are allowed beside GLDv2's 78. `ledger`: the
    file that holds the replies; without it only requests can be made.
    """

    model: str
    seed: int
    parameters: Parameters = field(default_factory=Parameters)
    extra_labels: tuple[str, ...] = ()
    ledger: Path | None = None

    @property
    def id(self) -> str:
        """The model's id as it was asked for."""
        return self.model

    @property
    def prompt_version(self) -> str:
        """Hash over prompts, questions, schemas, labels and the way in which replies are read."""
        digest = hashlib.sha256(f"{READING}\n".encode())
        for name in _FILES:
            content = prompt_bytes(name)
            digest.update(f"{name}\x00{len(content)}\x00".encode() + content)
        for schema in (_qa_schema(), _entities_schema(self.extra_labels)):
            digest.update(schema.digest.encode())
        return f"model-{digest.hexdigest()[:16]}"

    @property
    def qa_version(self) -> str:
        """The version of the Q-A prompt's file."""
        return _qa_prompt().version

    @property
    def entities_version(self) -> str:
        """The version of the multi-granularity prompt's file, and a hash of further labels."""
        version = _entities_prompt().version
        if self.extra_labels:
            labels = json.dumps(self.extra_labels, ensure_ascii=False)
            version += f"+labels-{hashlib.sha256(labels.encode()).hexdigest()[:8]}"
        return version

    def qa_request(self, task: QaTask, image: Image) -> Request:
        """What stage 2 asks about a landmark: its image, its name, one question drawn by key."""
        question = draw_question(task.landmark_id, seed=self.seed)
        rendered = _qa_prompt().render(name=task.name, question=question.text)
        return Request(
            purpose="qa",
            subject=str(task.landmark_id),
            model=self.model,
            prompt_version=self.qa_version,
            instructions=rendered.instructions,
            text=rendered.text,
            image=image,
            schema=_qa_schema(),
            parameters=self.parameters,
        )

    def entities_request(self, task: EntityTask, image: Image) -> Request:
        """What stage 3 asks: image, Q-A and GLDv2's label. ValueError where there is no Q-A."""
        if task.qa.status != "ok":
            raise ValueError(f"landmark {task.qa.landmark_id} has no answer: {task.qa.reason}")
        question, answer = (turn.content for turn in task.qa.conversation)
        rendered = _entities_prompt().render(
            name=task.qa_task.name,
            label=(task.qa_task.hierarchical_label or "").strip() or None,
            question=question,
            answer=answer,
            labels=[*LABELS, *self.extra_labels],
        )
        return Request(
            purpose="entities",
            subject=str(task.qa_task.landmark_id),
            model=self.model,
            prompt_version=self.entities_version,
            instructions=rendered.instructions,
            text=rendered.text,
            image=image,
            schema=_entities_schema(self.extra_labels),
            parameters=self.parameters,
        )

    def answer(self, tasks: Sequence[QaTask], read_image: ReadImage) -> list[QaRecord]:
        """Stage 2, from the ledger. ValueError where replies are missing."""
        requests = [self.qa_request(task, task_image(task, read_image)) for task in tasks]
        replies = self._replies(requests)
        return [
            self._qa_record(task, read_as(replies[request.key], QaReply))
            for task, request in zip(tasks, requests, strict=True)
        ]

    def annotate(self, tasks: Sequence[EntityTask], read_image: ReadImage) -> list[EntityRecord]:
        """Stage 3, from the ledger; "skipped" where stage 2 has no answer. ValueError as above."""
        requests = {
            task.qa_task.landmark_id: self.entities_request(
                task, task_image(task.qa_task, read_image)
            )
            for task in tasks
            if task.qa.status == "ok"
        }
        replies = self._replies(list(requests.values()))
        model = entities_reply(self.extra_labels)
        records = []
        for task in tasks:
            request = requests.get(task.qa_task.landmark_id)
            if request is None:
                reason = f"no answer from stage 2: {task.qa.reason}"
                read: Read[EntitiesReply] = Read("skipped", reason=reason)
            else:
                read = read_as(replies[request.key], model)
            records.append(self._entity_record(task.qa_task, read))
        return records

    def _qa_record(self, task: QaTask, read: Read[QaReply]) -> QaRecord:
        question = draw_question(task.landmark_id, seed=self.seed)
        text = clean_text(read.value.answer) if read.value else ""
        conversation = [
            Turn(role="user", content=question.text),
            Turn(role="assistant", content=text),
        ]
        failed = read.value is not None and not text
        return QaRecord(
            landmark_id=task.landmark_id,
            status="error" if failed else read.status,
            reason="the answer is empty" if failed else read.reason,
            question_id=question.id,
            conversation=conversation if text else [],
            repaired=read.repaired,
            annotator=self.id,
            prompt_version=self.qa_version,
        )

    def _entity_record(self, task: QaTask, read: Read[EntitiesReply]) -> EntityRecord:
        record = EntityRecord(
            landmark_id=task.landmark_id,
            status=read.status,
            reason=read.reason,
            repaired=read.repaired,
            annotator=self.id,
            prompt_version=self.entities_version,
        )
        said = read.value
        if said is None:
            return record
        hints = clean_hints(said.place_hints, name=task.name)
        aliases = clean_aliases(said.aliases, name=task.name, hints=hints)
        entities = clean_entities(said.entities, name=task.name, aliases=aliases)
        found: dict[str, object] = {"entities_raw": said.entities}
        if entities:
            found |= {
                "entities": entities,
                "hierarchical_label": said.hierarchical_label,
                "aliases": aliases,
                "place_hints": hints,
            }
        else:
            reason = f"none of its {len(said.entities)} entities is fit"
            found |= {"status": "error", "reason": reason}
        return record.model_copy(update=found)

    def _replies(self, requests: Sequence[Request]) -> dict[str, StoredReply]:
        """The replies of all `requests`, by key; ValueError where some are missing."""
        if not requests:
            return {}
        if self.ledger is None:
            raise ValueError("this annotator has no ledger to read replies from")
        with Ledger(self.ledger, create=False) as ledger:
            found = ledger.replies({request.key for request in requests})
        missing = sum(request.key not in found for request in requests)
        if missing:
            raise ValueError(
                f"{missing:,} of {len(requests):,} replies of {self.model} are not in the ledger "
                f"{self.ledger}; `mgld build` has them made"
            )
        return found


def task_image(task: QaTask, read_image: ReadImage) -> Image:
    """The image of a task, to be read when it is sent."""
    return Image(sha256=task.image_sha256, read=partial(read_image, task))


def read_as(reply: StoredReply, model: type[T]) -> Read[T]:
    """Read a stored reply into `model`; a refusal or whatever does not fit says why."""
    said = read_reply(reply.api, reply.http_status, reply.raw)
    if said.status != "ok":
        return Read(said.status, reason=_short(said.reason))
    found = read_structured(model, said.text)
    if found.value is None:
        reason = f"no valid reply: {found.reason}"
        if said.truncated:
            reason = f"cut off at max_output_tokens; {reason}"
        return Read("error", reason=_short(reason))
    return Read("ok", found.value, found.repaired)


def _short(reason: str) -> str:
    reason = " ".join(clean_text(reason).split())
    return reason if len(reason) <= MAX_REASON else reason[: MAX_REASON - 1] + "…"


@cache
def _qa_prompt() -> Prompt:
    return _load("qa.md", QA_SCHEMA, ("name", "question"))


@cache
def _entities_prompt() -> Prompt:
    names = ("name", "label", "question", "answer", "labels")
    return _load("entities.md", ENTITIES_SCHEMA, names)


def _load(file: str, schema: str, placeholders: tuple[str, ...]) -> Prompt:
    prompt = load_prompt_file("mgld.annotate", file, placeholders=placeholders)
    if prompt.schema != schema:
        raise ValueError(f"prompt {file} asks for the schema {prompt.schema}, it must be {schema}")
    return prompt


@cache
def _qa_schema() -> OutputSchema:
    return output_schema(QaReply, QA_SCHEMA)


@cache
def _entities_schema(extra_labels: tuple[str, ...]) -> OutputSchema:
    return output_schema(entities_reply(extra_labels), ENTITIES_SCHEMA)
