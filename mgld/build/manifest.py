"""What a build folder holds, bound to what it was made from (docs/definitions.md, "Builds").

`manifest.json` says per stage and shard: the hash of the inputs and of the settings that matter to
it, and the hash, size, rows and counts of what came out. It holds no time and no absolute path, so
that two builds of the same input under the same settings have the same manifest. Only the driver
writes it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from mgld.files import write_text_atomically
from mgld.schema import Record

MANIFEST_FILE = "manifest.json"
FORMAT = 1

STAGE_NAMES = (
    "catalog",
    "embeddings",
    "selection",
    "qa",
    "entities",
    "scores",
    "splits",
    "dataset",
)


def fingerprint(value: Any) -> str:
    """Hex SHA-256 of a JSON-able value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


class FileEntry(Record):
    """One output file."""

    sha256: str
    bytes: int


class ShardEntry(Record):
    """One finished shard: what it was made from and what came out."""

    inputs: str
    """Hash over the content hashes of everything the shard read."""
    settings: str
    """Hash over the settings that matter to its stage."""
    environment: str
    """Key into `Manifest.environments`: where it was made. Information, not part of the binding."""
    files: dict[str, FileEntry]
    """Path relative to the build folder -> content."""
    rows: int
    counts: dict[str, dict[str, int]]
    """What was counted -> status -> how many, e.g. {"image": {"ok": 3, "truncated": 1}}."""


class StageEntry(BaseModel):
    """One stage: the settings it was last planned with, in words, and its finished shards."""

    model_config = ConfigDict(extra="forbid")

    settings: dict[str, Any] = Field(default_factory=dict)
    shards: dict[str, ShardEntry] = Field(default_factory=dict)


class BuildFacts(Record):
    """What the settings turned out to mean, learnt by loading the encoder and the annotator."""

    encoder_fingerprint: str
    encoder_dtype: str
    embed_dim: int
    annotator_id: str
    prompt_version: str


class Manifest(BaseModel):
    """The whole of `manifest.json`."""

    model_config = ConfigDict(extra="forbid")

    format: int = FORMAT
    facts: BuildFacts | None = None
    environments: dict[str, dict[str, str]] = Field(default_factory=dict)
    stages: dict[str, StageEntry] = Field(default_factory=dict)

    @classmethod
    def load(cls, root: Path) -> Manifest:
        """Read `root/manifest.json`.

        FileNotFoundError where there is none, ValueError where it cannot be understood.
        """
        path = root / MANIFEST_FILE
        try:
            manifest = cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{root} is not a build folder: it has no {MANIFEST_FILE}; make one with "
                f"`mgld build --source DIR --out {root}`"
            ) from None
        except ValidationError as error:
            raise ValueError(f"{path} is damaged or of another version: {error}") from error
        if manifest.format != FORMAT:
            raise ValueError(f"{path} has format {manifest.format}; this mgld reads {FORMAT}")
        return manifest

    def save(self, root: Path) -> None:
        """Write `root/manifest.json`, whole or not at all, keys in a fixed order."""
        # After every shard, and of thousands: a quarter of the time that json takes with an indent.
        text = to_json(_sorted(self.model_dump(mode="json")), indent=1, ensure_ascii=True)
        write_text_atomically(root / MANIFEST_FILE, text.decode() + "\n")

    def stage(self, name: str) -> StageEntry:
        """The entry of a stage, made empty if there was none."""
        return self.stages.setdefault(name, StageEntry())

    def files(self) -> dict[str, FileEntry]:
        """Every output file of every stage: path relative to the build folder -> content."""
        return {
            path: entry
            for stage in self.stages.values()
            for shard in stage.shards.values()
            for path, entry in shard.files.items()
        }


def _sorted(value: Any) -> Any:
    """A JSON value with the keys of its objects in order."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
