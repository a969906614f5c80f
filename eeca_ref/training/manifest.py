"""`manifest.json` of a run: what it was made of, with what, and what it took.

Written when a session begins (again after a resume, which adds a session) and finished at the end.
It holds no host name and no path but those of the recipe. Two runs with equal `recipe`, `data`,
`models` and `order_hashes` were given the same to do.
"""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, ValidationError, model_validator

import mgld
from eeca_ref.recipe import Recipe
from eeca_ref.training.flops import utilisation
from eeca_ref.training.log import STEP, read_log
from mgld.files import write_text_atomically
from mgld.schema import Record

if TYPE_CHECKING:
    from eeca_ref.data.store import TokenStore

MANIFEST_FILE = "manifest.json"
FORMAT = 1
LIBRARIES = ("torch", "deepspeed", "transformers", "tokenizers", "safetensors", "pyarrow", "numpy")


class DataEntry(Record):
    """What was trained on.

    Attributes:
        binding: of the token store: hash of source, tokenizer, template and settings.
        source: hash of the source's rows.
        rows: of the source.
        statuses: every row once: `train`, `validation`, `image_not_there`, and the reasons for
            which rows gave no sample. They add up to `rows`.
        left_out: rows of `train` that an epoch leaves out, as they do not fill a global batch.
        counts: of the samples (`TokenStore.counts`): tokens, truncated, without entities, ...
    """

    binding: str
    source: str
    rows: int = Field(ge=0)
    statuses: dict[str, int]
    left_out: int = Field(0, ge=0)
    counts: dict[str, int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if sum(self.statuses.values()) != self.rows:
            raise ValueError(f"statuses {self.statuses} do not add up to {self.rows} rows")
        return self


class ModelEntry(Record):
    """A checkpoint that the run began from, by the recipe's field (`start`, `vision`, ...).

    Attributes:
        name: as the recipe has it.
        revision: commit on the Hub; None for a folder.
        fingerprint: hash of its weights; None where only the revision is known.
    """

    name: str
    revision: str | None = None
    fingerprint: str | None = None


class CodeVersion(Record):
    """Package version, and the git commit where the package lies in a checkout.

    `dirty`: whether tracked files differ from that commit; None without one.
    """

    version: str
    commit: str | None = None
    dirty: bool | None = None


class PeakMemory(Record):
    """Largest over processes, bytes: resident memory, and what torch had allocated on a device."""

    rss_bytes: int
    device_bytes: int | None = None


class Session(Record):
    """From a start or resume to the end of the process.

    Attributes:
        started, ended: UTC; `ended` is None as long as it runs, and where it was killed.
        from_step: the step it went on from.
        world_size: processes; `devices`: the name of each one's device, in the order of ranks.
    """

    started: str
    ended: str | None = None
    from_step: int = Field(ge=0)
    world_size: int = Field(ge=1)
    devices: list[str]
    system: str
    code: CodeVersion
    libraries: dict[str, str]


class Totals(Record):
    """What the whole run took, from its log: steps that were lost to a kill are not in it.

    Attributes:
        seconds: sum of the steps' wall times; validation and checkpoints are not in it.
        mfu, hfu: share of the devices' peak, without and with what is recomputed or padding
            (`eeca_ref.training.flops`); None where the peak is not known, or sessions had
            different devices.
    """

    steps: int
    samples: int
    tokens: int
    supervised_tokens: int
    seconds: float
    tokens_per_second: float
    loader_share: float
    peak_memory: PeakMemory
    mfu: float | None = None
    hfu: float | None = None


class Manifest(Record):
    """The whole of `manifest.json`.

    Attributes:
        recipe: as resolved.
        seeds: by what they are for.
        order_hashes: SHA-256 of the global batches of each epoch, in order.
        totals: None until the run is finished.
    """

    format: int = FORMAT
    recipe: Recipe
    seeds: dict[str, int]
    data: DataEntry
    models: dict[str, ModelEntry]
    order_hashes: list[str]
    sessions: list[Session] = Field(min_length=1)
    totals: Totals | None = None


def read_manifest(path: Path) -> Manifest:
    """FileNotFoundError where there is none; ValueError where it cannot be understood."""
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path} is damaged or of another version: {error}") from error


def write_manifest(
    path: Path,
    *,
    recipe: Recipe,
    data: DataEntry,
    models: Mapping[str, ModelEntry],
    order_hashes: Sequence[str],
    resume_step: int,
    devices: Sequence[str],
) -> Manifest:
    """A session begins; to be called in the main process.

    resume_step: 0 begins a new manifest; else a session is added to the one there is.
    devices: `device_name()` of every process.
    ValueError: the run that is resumed had other data, models or order. FileNotFoundError: it left
    no manifest.
    """
    session = Session(
        started=_now(),
        from_step=resume_step,
        world_size=len(devices),
        devices=list(devices),
        system=f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        code=code_version(),
        libraries=library_versions(),
    )
    manifest = Manifest(
        recipe=recipe,
        seeds={"weights": recipe.seed, "order": recipe.seed},
        data=data,
        models=dict(models),
        order_hashes=list(order_hashes),
        sessions=[session],
    )
    if resume_step:
        before = read_manifest(path)
        for name in ("data", "models", "order_hashes"):
            if getattr(before, name) != getattr(manifest, name):
                raise ValueError(
                    f"cannot resume: {path} has other {name}: "
                    f"{_shown(getattr(before, name))}, now {_shown(getattr(manifest, name))}"
                )
        manifest = manifest.model_copy(update={"sessions": [*before.sessions, session]})
    return _save(manifest, path)


def finish_manifest(path: Path, *, log: Path, peak_memory: PeakMemory) -> Manifest:
    """The run is done; its totals are read from its log.

    peak_memory: the largest over processes, of this session.
    """
    manifest = read_manifest(path)
    *earlier, last = manifest.sessions
    ended = last.model_copy(update={"ended": _now()})
    totals = _totals(read_log(log), manifest.sessions, peak_memory)
    return _save(
        manifest.model_copy(update={"sessions": [*earlier, ended], "totals": totals}), path
    )


def data_entry(
    store: TokenStore, *, source: str, train: int, validation: int, missing: int, left_out: int
) -> DataEntry:
    """The entry of a store.

    source: the source's fingerprint. train, validation: rows of either. missing: rows whose image
    is not there (`rows_with_images`). ValueError: rows are unaccounted for.
    """
    counts = store.counts()
    skipped = {name: number for name, number in counts.items() if name.startswith("skipped: ")}
    return DataEntry(
        binding=store.binding,
        source=source,
        rows=counts["rows"],
        statuses={
            "train": train,
            "validation": validation,
            "image_not_there": missing,
            **{name.removeprefix("skipped: "): number for name, number in skipped.items()},
        },
        left_out=left_out,
        counts={name: n for name, n in counts.items() if name not in skipped and name != "rows"},
    )


def code_version() -> CodeVersion:
    """Of the package as it is imported here."""
    root = Path(mgld.__file__).parents[1]
    commit = dirty = None
    if (root / ".git").exists():
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
        dirty = None if changed is None else bool(changed)
    return CodeVersion(version=mgld.__version__, commit=commit, dirty=dirty)


def library_versions() -> dict[str, str]:
    """Python, what is in `LIBRARIES`, and CUDA where torch has it."""
    import torch

    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    if torch.version.cuda is not None:
        versions["cuda"] = torch.version.cuda
    return versions


def device_name() -> str:
    """What this process computes on: a GPU's name, or the CPU's model."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return f"CPU: {line.split(':', 1)[1].strip()}"
    return f"CPU: {platform.machine()}"


def peak_memory() -> PeakMemory:
    """Of this process so far."""
    import resource
    import sys

    import torch

    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    device = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    return PeakMemory(rss_bytes=rss, device_bytes=device)


def _totals(
    log: Sequence[Mapping[str, Any]], sessions: Sequence[Session], memory: PeakMemory
) -> Totals:
    lines = [entry for entry in log if entry["kind"] == STEP]

    def total(name: str) -> Any:
        return sum(line[name] for line in lines)

    seconds = total("seconds")
    # sessions on different devices have no one peak
    same = all(session.devices == sessions[0].devices for session in sessions)
    shares: dict[str, float | None] = {"mfu": None, "hfu": None}
    for name, field in (("mfu", "model_flops"), ("hfu", "hardware_flops")):
        if same and seconds and all(field in line for line in lines):
            shares[name] = utilisation(total(field), seconds, sessions[0].devices)
    return Totals(
        steps=total("steps"),
        samples=total("samples"),
        tokens=total("tokens"),
        supervised_tokens=total("supervised_tokens"),
        seconds=seconds,
        tokens_per_second=total("tokens") / seconds if seconds else 0.0,
        loader_share=total("loader_seconds") / seconds if seconds else 0.0,
        peak_memory=memory,
        **shares,
    )


def _save(manifest: Manifest, path: Path) -> Manifest:
    write_text_atomically(path, manifest.model_dump_json(indent=1) + "\n")
    return manifest


def _git(root: Path, *arguments: str) -> str | None:
    """What git says; None where it cannot."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
