"""What a build is told: one YAML file plus flags, resolved and written beside the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from mgld.annotate.base import model_of
from mgld.files import write_text_atomically
from mgld.gldv2.labels import LABELS
from mgld.llm import LlmSettings, Parameters
from mgld.llm.client import base_url
from mgld.schema import Record
from mgld.vision.protocol import DEFAULT_ENCODER

CONFIG_FILE = "config.yaml"
WORLD_PREFIX = "world:"
LEDGER_FILE = "ledger.sqlite"
NESTED = ("llm", "parameters")
"""Settings that hold settings."""

Method = Literal["hds", "hss", "lcs", "brs"]


class BuildConfig(Record):
    """Settings of one build. Which stage depends on which setting stands with the stage.

    The number of workers is not here: it never changes a result.
    """

    source: str
    """A folder in GLDv2's layout, or `world:N` for a procedural one of N landmarks."""
    encoder: str = DEFAULT_ENCODER
    device: str = "cpu"
    """Where the encoder runs: `cpu`, `cuda`, `cuda:1`, ..."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """What the encoder computes in; other than float32 only on a GPU."""
    template: str = "{name}"
    """Text given to the encoder for a name; the paper uses the bare name."""
    annotator: str = "template"
    """Who writes stages 2 and 3: `template` (offline) or `openai:MODEL`."""
    parameters: Parameters = Field(default_factory=Parameters)
    """What a model is sent beside prompt and image."""
    extra_labels: list[str] = Field(default_factory=list)
    """Hierarchical labels that a model may give beside GLDv2's 78."""
    llm: LlmSettings = Field(default_factory=LlmSettings)
    """Where and how a model is asked, and what may be spent. No record depends on it."""
    ledger: str | None = None
    """File of a model's replies; None: `ledger.sqlite` in the build folder."""
    seed: int = Field(default=0, ge=0)
    chunk: int = Field(default=1024, ge=1)
    """Landmarks per shard from selection on."""
    batch_size: int = Field(default=64, ge=1)
    """Images per encoder call; fixed, because the last bits of a vector can depend on it."""
    threads: int = Field(default=1, ge=1)
    """CPU threads per worker; fixed for the same reason."""
    test_size: int | None = Field(default=None, ge=0)
    """Records in `test`; None: `mgld.scoring.default_test_size` of the number of records."""
    sizes: list[int] | None = None
    """Subset sizes; None: `mgld.scoring.default_sizes` of the number of training records."""
    methods: list[Method] = Field(default=["hds", "hss", "lcs", "brs"])

    @field_validator("source")
    @classmethod
    def _source_is_folder_or_world(cls, value: str) -> str:
        if value.startswith(WORLD_PREFIX):
            count = value.removeprefix(WORLD_PREFIX)
            if not count.isdecimal() or int(count) == 0:
                raise ValueError(f"{value!r} is not world:N with N a positive number of landmarks")
            return f"{WORLD_PREFIX}{int(count)}"
        if not value:
            raise ValueError("is empty; give a folder or world:N")
        return str(Path(value).expanduser().resolve())

    @field_validator("template")
    @classmethod
    def _template_has_name(cls, value: str) -> str:
        if value.count("{name}") != 1:
            raise ValueError(f"{value!r} must contain {{name}} exactly once")
        return value

    @field_validator("sizes")
    @classmethod
    def _sizes_sorted(cls, value: list[int] | None) -> list[int] | None:
        if value is None:
            return None
        if not value or min(value) < 1:
            raise ValueError("subset sizes must be positive numbers")
        return sorted(set(value))

    @field_validator("methods")
    @classmethod
    def _methods_unique(cls, value: list[Method]) -> list[Method]:
        if not value or len(set(value)) != len(value):
            raise ValueError("methods must be at least one of hds, hss, lcs, brs, each once")
        return value

    @field_validator("extra_labels")
    @classmethod
    def _labels_new_and_unique(cls, value: list[str]) -> list[str]:
        labels = [label.strip() for label in value]
        if not all(labels) or len(set(labels)) != len(labels):
            raise ValueError("must be words, each once")
        if known := sorted(set(labels) & set(LABELS)):
            raise ValueError(f"{', '.join(known)}: among GLDv2's labels already")
        return labels

    @field_validator("llm")
    @classmethod
    def _address_without_secrets(cls, value: LlmSettings) -> LlmSettings:
        if value.base_url is not None:
            base_url(value)  # the configuration is written beside the results
        return value

    @field_validator("llm")
    @classmethod
    def _prices_absolute(cls, value: LlmSettings) -> LlmSettings:
        if value.prices is None:
            return value
        prices = str(Path(value.prices).expanduser().resolve())
        return value.model_copy(update={"prices": prices})

    @field_validator("ledger")
    @classmethod
    def _ledger_absolute(cls, value: str | None) -> str | None:
        return value if value is None else str(Path(value).expanduser().resolve())

    @model_validator(mode="after")
    def _labels_need_a_model(self) -> Self:
        if self.extra_labels and self.annotator == "template":
            raise ValueError("extra_labels are for a model to give; the annotator is template")
        return self

    @property
    def model(self) -> str | None:
        """The model that annotates, or None where none is asked."""
        return model_of(self.annotator)

    def ledger_path(self, root: Path) -> Path:
        """The ledger of a build in `root`."""
        return root / LEDGER_FILE if self.ledger is None else Path(self.ledger)

    @property
    def world_landmarks(self) -> int | None:
        """Landmarks of the procedural source, or None where the source is a folder."""
        if self.source.startswith(WORLD_PREFIX):
            return int(self.source.removeprefix(WORLD_PREFIX))
        return None

    def source_root(self, root: Path) -> Path:
        """Folder of the source, for a build in `root`: a world lives inside its build."""
        return Path(self.source) if self.world_landmarks is None else root / "source"


def load_config(path: Path | None, flags: dict[str, Any]) -> BuildConfig:
    """Resolve a configuration: defaults, then the YAML file `path`, then `flags` that are not None.

    `llm` and `parameters` hold settings of their own, of which flags replace only those they name.
    Raises ValueError with one line per wrong setting.
    """
    settings: dict[str, Any] = {}
    if path is not None:
        try:
            read = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is not YAML: {error}") from error
        if not isinstance(read, dict):
            raise ValueError(f"{path} must hold `setting: value` lines")
        settings.update(read)
    given = {key: value for key, value in flags.items() if value is not None}
    for name in NESTED:
        if isinstance(given.get(name), dict) and isinstance(settings.get(name), dict):
            given[name] = settings[name] | given[name]
    settings.update(given)
    try:
        return BuildConfig.model_validate(settings)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            where = ".".join(str(part) for part in problem["loc"])
            what = problem["msg"].removeprefix("Value error, ")
            lines.append(f"setting {where}: {what}" if where else f"settings: {what}")
        raise ValueError("\n".join(lines)) from error


def save_config(config: BuildConfig, root: Path) -> None:
    """Write the resolved configuration to `root/config.yaml`."""
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_text_atomically(root / CONFIG_FILE, text)
