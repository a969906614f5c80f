"""Where the miniature lies: folders of one encoder's half, and what each was made of."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from benchmarks.nano.plan import Row
from mgld.files import write_text_atomically
from mgld.world.lexicon import Half

BINDING_FILE: Final = "binding.txt"
"""In each folder of a training and of answers: the hash of all that it was made of."""
STAGES: Final = ("stage1_pretrain", "stage2_instruct")
"""The trainings of a baseline, by the names of their recipes and folders."""


@dataclass(frozen=True)
class Place:
    """Folders of one encoder's half of the miniature, in `root` (`out/nano`).

    The first encoder's are where the recipes of preset `nano` and `eeca nano` look for them. runs:
    a folder apart for what is trained, "" for none.
    """

    root: Path
    half: Half = "west"
    runs: str = ""

    @property
    def world(self) -> Path:
        """The world, the same for both encoders."""
        return self.root / "world"

    @property
    def own(self) -> Path:
        """What is this encoder's."""
        return self.root if self.half == "west" else self.root / self.half

    @property
    def build(self) -> Path:
        """The build that this encoder scored."""
        return self.own / "build"

    @property
    def parts(self) -> Path:
        """What stages 1 and 2 begin from."""
        return self.own / "parts"

    @property
    def rules(self) -> Path:
        """A dataset of subsets that another rule chose (`rule_subsets`)."""
        return self.own / "rules"

    def seed(self, seed: int) -> Path:
        """The folder of all that is trained with a seed, and asked."""
        return self.own / self.runs / f"seed{seed}"

    def run(self, seed: int, name: str) -> Path:
        """A training's folder."""
        return self.seed(seed) / name

    def answers(self, seed: int, row: Row) -> Path:
        """A row's answers to the test's questions."""
        return self.seed(seed) / "answers" / row.name

    def holds(self, seed: int, name: str, binding: str) -> bool:
        """Whether a training is finished, and was of this binding."""
        folder = self.run(seed, name)
        return (folder / "model").is_dir() and _is_of(folder, binding)

    def require(self, seed: int, name: str, binding: str) -> Path:
        """The folder of a finished training of this binding.

        RuntimeError: it is not there, or was made of something else.
        """
        folder = self.run(seed, name)
        if not self.holds(seed, name, binding):
            raise RuntimeError(
                f"{folder} does not hold the model that would be made now: run its table first "
                "(where its record is there and its weights are not, remove the record before)"
            )
        return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else may work in a folder meanwhile, nor remove it. RuntimeError: somebody does."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Beside it, as what is in it may be removed.
        with FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0):
            yield
    except Timeout:
        raise RuntimeError(f"another process works in {folder}: wait for it, or end it") from None


def claim(folder: Path, binding: str) -> None:
    """Make a folder this binding's: what was made of something else in it is removed."""
    if folder.exists() and not _is_of(folder, binding):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomically(folder / BINDING_FILE, binding)


def _is_of(folder: Path, binding: str) -> bool:
    stamp = folder / BINDING_FILE
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == binding


def hash_of(value: Any) -> str:
    """SHA-256 of something as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
