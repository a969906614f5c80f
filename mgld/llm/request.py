"""One question to a model, and the key under which its reply is paid for once.

A request says everything that can change a reply, and nothing about where or how it is sent: which
endpoint, which dialect, online or batched are settings (`mgld.llm.settings`). Two requests with the
same key are the same request, whoever makes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal

from pydantic import Field

from mgld.schema import Record

Detail = Literal["low", "high", "auto"]


class Parameters(Record):
    """What is sent beside prompt and image. A field that is None is not sent at all."""

    max_output_tokens: int = Field(default=1024, ge=1)
    temperature: float | None = None
    """None leaves it to the endpoint: reasoning models refuse any value."""
    image_detail: Detail = "high"
    image_side: int = Field(default=768, ge=32)
    """Longest side in pixels; larger images are scaled down before they are sent."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Further fields of the request's body as the endpoint names them, e.g. `{"top_p": 0.9}`."""

    @cached_property
    def digest(self) -> str:
        """Hash of all fields; kept, because many requests share one object."""
        return _digest(self.model_dump())


@dataclass(frozen=True)
class Image:
    """An image file known by its hash; its bytes are read when they are sent.

    `read` returns the original file's bytes (OSError or ValueError where it cannot).
    """

    sha256: str
    read: Callable[[], bytes] = field(repr=False, compare=False)


class OutputSchema(Record):
    """The strict JSON schema of a reply, as it is sent (see `mgld.llm.structured`)."""

    name: str
    json_schema: dict[str, Any]

    @cached_property
    def digest(self) -> str:
        """Hash of name and schema; kept, because many requests share one object."""
        return _digest(self.model_dump())


@dataclass(frozen=True)
class Request:
    """A question to `model`.

    purpose: what the reply is for, e.g. "qa"; subject: whom it is about, e.g. a landmark id. Both
    are for reports and lookups and are not part of the key. `prompt_version` names the prompt file
    and its content hash; the key holds the rendered texts themselves. `draw`: 0 for a single
    reply; five sampled answers to one question are draws 0 to 4.
    """

    purpose: str
    subject: str
    model: str
    prompt_version: str
    instructions: str
    text: str
    image: Image | None = None
    schema: OutputSchema | None = None
    parameters: Parameters = field(default_factory=Parameters)
    draw: int = 0

    @cached_property
    def key(self) -> str:
        """Hex SHA-256 over model, prompt, schema, image, parameters and draw.

        The image counts by the hash of its original file; how it is scaled down follows from
        that and the parameters.
        """
        key = _hash_of(self.model, self.instructions).copy()
        for part in (
            self.text,
            self.schema.digest if self.schema else "",
            self.image.sha256 if self.image else "",
            self.parameters.digest,
            str(self.draw),
        ):
            _add(key, part)
        return key.hexdigest()


@lru_cache(maxsize=64)
def _hash_of(model: str, instructions: str) -> hashlib._Hash:
    """The begun hash of requests that differ in what comes after; copied, never changed."""
    key = hashlib.sha256()
    _add(key, model)
    _add(key, instructions)
    return key


def _add(key: hashlib._Hash, part: str) -> None:
    # Parts with their lengths: no two requests run together into the same bytes.
    data = part.encode()
    key.update(b"%d:%b" % (len(data), data))


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
