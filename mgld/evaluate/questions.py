"""Questions of a dataset's split, and their images one by one.

Texts are read at once, images when they are asked for: the split's table is memory-mapped.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mgld.evaluate.records import Question, Truth
from mgld.files import write_text_atomically
from mgld.schema import Record

_TEXT_COLUMNS = (
    "id",
    "landmark_id",
    "landmark_name",
    "question",  # eval
    "answer",
    "conversation",  # the other configs
    "entities",
    "hierarchical_label",
    "natural_or_human_made",
    "landmark_images",  # not in datasets of an early mgld
    "aliases",
    "place_hints",
    "sim",
    "rank",
    "rsr",
    "image_sha256",
)


class DatasetIdentity(Record):
    """Which questions a run is about.

    content: the hash that the dataset's card states for the config, None where it states none.
    questions_sha256: of `questions.jsonl`, so of all texts, truths and image hashes.
    """

    source: str
    config: str
    split: str
    revision: str | None = None
    content: str | None = None
    questions: int
    questions_sha256: str


class ImageReader:
    """Original image files of a split by question id; the dataset is opened at the first one.

    Safe to call from several threads. KeyError: no such question; ValueError: it has no image.
    """

    def __init__(self, source: str, config: str, split: str, revision: str | None = None) -> None:
        self._asked = (source, config, split, revision)
        self._lock = threading.Lock()
        self._images: Any = None
        self._rows: dict[str, int] = {}

    def __call__(self, question_id: str) -> bytes:
        """The image file's bytes."""
        with self._lock:
            if self._images is None:
                self._open(_load(*self._asked))
            cell = self._images[self._rows[question_id]]["image"] or {}
        if cell.get("bytes") is not None:
            return bytes(cell["bytes"])
        if not cell.get("path"):
            raise ValueError(f"question {question_id} has no image")
        return Path(cell["path"]).read_bytes()

    def _open(self, loaded: Any) -> None:
        from datasets import Image

        # Not decoded: what is sent, and how damage is told, is the reader's own affair.
        self._images = loaded.select_columns(["image"]).cast_column("image", Image(decode=False))
        self._rows = {each: row for row, each in enumerate(loaded["id"][:])}


@dataclass(frozen=True)
class QuestionSet:
    """Questions in their order, what they are, and where their images come from."""

    questions: list[Question]
    identity: DatasetIdentity
    read_image: ImageReader

    def ask(self, text: Callable[[Question], str]) -> QuestionSet:
        """The same about the same images, with other texts."""
        questions = [each.model_copy(update={"text": text(each)}) for each in self.questions]
        sha256 = _sha256(_lines(questions))
        identity = self.identity.model_copy(update={"questions_sha256": sha256})
        return QuestionSet(questions, identity, self.read_image)


def load_questions(source: str | Path, split: str = "test") -> list[Question]:
    """The questions of config `eval`: `test`, or `test_paper`, its first half.

    source: a build or dataset folder or a Hub id. Raises as `mgld.load`.
    """
    return open_questions(source, split=split).questions


def open_questions(
    source: str | Path,
    *,
    config: str = "eval",
    split: str = "test",
    revision: str | None = None,
    limit: int | None = None,
) -> QuestionSet:
    """Questions of any config with their images: records of a subset are questions, too.

    limit: only the first so many. ValueError where an id occurs twice or nothing is there; raises
    as `mgld.load` for a source, config or split that is not there.
    """
    from mgld.hub.load import folder_content

    source = str(source)
    loaded = _load(source, config, split, revision)
    reader = ImageReader(source, config, split, revision)
    reader._open(loaded)
    if limit is not None:
        loaded = loaded.select(range(min(limit, len(loaded))))
    there = [column for column in _TEXT_COLUMNS if column in loaded.column_names]
    questions = [question_of(row) for row in loaded.select_columns(there)]
    if not questions:
        raise ValueError(f"{source} has no questions in split {split} of {config}")
    if len({question.id for question in questions}) != len(questions):
        raise ValueError(f"{source}: split {split} of {config} has an id twice")
    identity = DatasetIdentity(
        source=source,
        config=config,
        split=split,
        revision=revision,
        content=folder_content(source, config),
        questions=len(questions),
        questions_sha256=_sha256(_lines(questions)),
    )
    return QuestionSet(questions, identity, reader)


def save_questions(questions: Sequence[Question], path: Path) -> None:
    """Write `questions.jsonl`, one question a line."""
    write_text_atomically(path, _lines(questions))


def read_questions(path: Path, *, sha256: str | None = None) -> list[Question]:
    """Read `questions.jsonl`. ValueError where a line is none, or its hash is not `sha256`."""
    text = path.read_text(encoding="utf-8")
    if sha256 is not None and _sha256(text) != sha256:
        raise ValueError(f"{path} is not what the run was made with: its hash differs")
    try:
        return [Question.model_validate_json(line) for line in text.splitlines()]
    except ValidationError as error:
        raise ValueError(f"{path} is no file of questions: {error}") from error


def question_of(row: Mapping[str, Any]) -> Question:
    """The question of one row of the dataset, of any config; its image is not looked at."""
    said = {"user": row.get("question", ""), "assistant": row.get("answer", "")}
    if "conversation" in row:
        said = {turn["role"]: turn["content"] for turn in reversed(row["conversation"])}
    return Question(
        id=row["id"],
        landmark_id=row["landmark_id"],
        text=said["user"],
        image_sha256=row["image_sha256"],
        entities=row["entities"] or [],
        truth=Truth(
            name=row["landmark_name"],
            aliases=row["aliases"] or [],
            place_hints=row["place_hints"] or [],
            label=row["hierarchical_label"],
            answer=said["assistant"],
        ),
        natural_or_human_made=row["natural_or_human_made"],
        sim=row["sim"],
        rsr=row["rsr"],
        rank=row["rank"],
        images=row.get("landmark_images"),
    )


def _load(source: str, config: str, split: str, revision: str | None) -> Any:
    import mgld

    return mgld.load(source, config, split=split, revision=revision)


def _lines(questions: Iterable[Question]) -> str:
    # As ASCII: some readers of lines would also cut at the likes of U+2028.
    return "".join(json.dumps(question.model_dump(mode="json")) + "\n" for question in questions)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
