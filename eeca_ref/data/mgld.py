"""Stage 3: the records of an MGLD build, dataset folder or Hub config."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

from eeca_ref.data.entities import ENTITY_PROMPT, EntityPrompt, with_entities
from eeca_ref.data.samples import IMAGE_TOKEN, Sample, SampleError, Skipped, Turn, place_image

COLUMNS = ("id", "conversation", "entities", "hierarchical_label")
SLICE = 1000


class MgldSource:
    """Rows of one config's `train` split, such as `hss25k`.

    `source`, `config`, `revision`: as `mgld.load` takes them; `load_options` too. `entity_prompt`:
    with `training_and_inference` the first question names the entities; a record without entities
    keeps its question.

    FileNotFoundError, ValueError, ConnectionError: as `mgld.load`.
    """

    def __init__(
        self,
        source: str,
        config: str,
        *,
        revision: str | None = None,
        entity_prompt: EntityPrompt = "none",
        **load_options: Any,
    ) -> None:
        from datasets import Image

        import mgld

        self.entity_prompt = entity_prompt
        dataset: Any = mgld.load(source, config, split="train", revision=revision, **load_options)
        self._texts = dataset.select_columns(list(COLUMNS))
        self._images = dataset.select_columns(["image"]).cast_column("image", Image(decode=False))

    def fingerprint(self) -> str:
        """Hash of the records' texts and of the entity prompt; the images are not looked at."""
        named = self.entity_prompt == "training_and_inference"
        return f"mgld:{self._hash}:{ENTITY_PROMPT if named else 'questions alone'}"

    @cached_property
    def _hash(self) -> str:
        content = hashlib.sha256()
        for _, row in self._rows(0):
            line = json.dumps([row[column] for column in COLUMNS], ensure_ascii=False)
            content.update(line.encode() + b"\n")
        return content.hexdigest()

    def rows(self, start: int = 0) -> Iterator[Sample | Skipped]:
        """The records from number `start` on; `image` of a sample is its record's number."""
        for number, row in self._rows(start):
            try:
                yield self._sample(number, row)
            except SampleError as error:
                yield Skipped(str(row["id"]), error.status, error.reason)

    def _rows(self, start: int) -> Iterator[tuple[int, dict[str, Any]]]:
        # By slices: a row at a time costs `datasets` ten times as much.
        for first in range(start, len(self._texts), SLICE):
            columns = self._texts[first : first + SLICE]
            for at in range(len(columns["id"])):
                yield first + at, {column: columns[column][at] for column in COLUMNS}

    def has_image(self, image: str) -> bool:
        """True: every record has one."""
        return 0 <= int(image) < len(self._images)

    def read_image(self, image: str) -> bytes:
        """The bytes in the record. OSError: it has none."""
        data = self._images[int(image)]["image"]
        if data is None or data["bytes"] is None:
            raise FileNotFoundError(f"record {image} holds no image")
        return bytes(data["bytes"])

    def _sample(self, number: int, row: dict[str, Any]) -> Sample:
        said = [Turn(turn["role"], turn["content"]) for turn in row["conversation"] or []]
        turns = place_image(said, has_image=True)
        entities = tuple(row["entities"] or ())
        if self.entity_prompt == "training_and_inference":
            turns = _name_entities(turns, entities)
        return Sample(str(row["id"]), turns, str(number), entities, row["hierarchical_label"])


def _name_entities(turns: tuple[Turn, ...], entities: tuple[str, ...]) -> tuple[Turn, ...]:
    """`turns` with the entities named in the turn that has the image."""
    return tuple(
        replace(turn, content=with_entities(turn.content, entities))
        if IMAGE_TOKEN in turn.content and turn.role == "user"
        else turn
        for turn in turns
    )
