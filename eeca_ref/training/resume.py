"""Where a run begins: anew, at its newest checkpoint, or nowhere as it is finished."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from eeca_ref.data.sampler import Cursor
from eeca_ref.recipe import Recipe
from eeca_ref.training.checkpoints import CHECKPOINTS, MODEL, State, found_checkpoints, read_state
from eeca_ref.training.distributed import World
from mgld.files import write_text_atomically

RECIPE_FILE, LOCK_FILE = "recipe.yaml", ".lock"

MAY_CHANGE = (
    "name",
    "about",
    "keep",
    "log",
    "data.workers",
    "data.source.json_file",
    "data.source.images",
    "data.source.source",
    "data.source.revision",
    "optim.micro_batch",
    "engine.checkpointing",
    "engine.compile",
    "engine.attention",
)
"""Keys that may differ when a run goes on: what is written and how fast, where the data lies (that
it is the same is seen from its hash), and what changes rounding alone."""


@dataclass(frozen=True)
class Beginning:
    """`checkpoint`, `state`: to go on from; None: from the start. `finished`: nothing to do."""

    checkpoint: Path | None = None
    state: State | None = None
    finished: bool = False

    @property
    def step(self) -> int:
        """Steps that are done."""
        return 0 if self.state is None else self.state.step

    @property
    def cursor(self) -> Cursor | None:
        """The next global batch; None: the first."""
        return None if self.state is None else self.state.cursor


@contextmanager
def alone_in(out: Path, world: World) -> Iterator[None]:
    """No other run may be in `out`. ValueError: one is."""
    lock = FileLock(out / LOCK_FILE)

    def take() -> None:
        out.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(f"another process trains in {out}: wait for it, or end it") from None

    world.once(take)
    try:
        yield
    finally:
        lock.release()


def find_beginning(recipe: Recipe, out: Path, *, world_size: int, resume: bool) -> Beginning:
    """Look at what is in `out`, a folder, and write the recipe into it.

    ValueError: it is another recipe's run, or another number of processes wrote its checkpoint; or
    there is a run although it is not to be resumed.
    """
    checkpoints = found_checkpoints(out)
    there = checkpoints or (out / MODEL).exists()
    if there and not resume:
        raise ValueError(f"{out} holds a run: resume it, or remove the folder")
    if there:
        _check_recipe(recipe, out)
    beginning = Beginning(finished=(out / MODEL).exists())
    if not beginning.finished and checkpoints:
        state = read_state(checkpoints[-1])
        if state.world_size != world_size:
            raise ValueError(
                f"{checkpoints[-1]} was written by {state.world_size} processes, each of which "
                f"holds a part of the optimizer: resume with as many, not with {world_size}; or "
                f"begin a new run with `model.start: {checkpoints[-1] / MODEL}`"
            )
        beginning = Beginning(checkpoints[-1], state)
    if not beginning.finished:
        for unfinished in (out / CHECKPOINTS).glob(".step-*"):  # of a process that was killed
            shutil.rmtree(unfinished)
        text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        write_text_atomically(out / RECIPE_FILE, text)
    return beginning


def check_data(beginning: Beginning, binding: str) -> None:
    """ValueError: the data is not what the checkpoint was trained on (the token store's hash)."""
    if beginning.state is not None and beginning.state.binding != binding:
        raise ValueError(
            "cannot resume: the data, the tokenizer or the tokens' settings are not those of "
            f"{beginning.checkpoint}"
        )


def differences(before: Recipe, now: Recipe) -> dict[str, tuple[Any, Any]]:
    """Keys of two recipes that differ and may not, dotted, with both values."""
    old, new = (_flat(recipe.model_dump(mode="json")) for recipe in (before, now))
    free = set(MAY_CHANGE)
    if now.model.settings.get("negatives") == "batch":  # they are those of a micro-batch
        free.remove("optim.micro_batch")
    return {
        key: (old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
        and not any(key == each or key.startswith(f"{each}.") for each in free)
    }


def _check_recipe(recipe: Recipe, out: Path) -> None:
    try:
        text = (out / RECIPE_FILE).read_text(encoding="utf-8")
        before = Recipe.model_validate(yaml.safe_load(text))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(
            f"{out} holds a run, but its {RECIPE_FILE} cannot be read: {error}"
        ) from error
    changed = [f"{k}: {old!r} -> {new!r}" for k, (old, new) in differences(before, recipe).items()]
    if changed:
        raise ValueError(
            f"{out} holds a run of another recipe, which cannot go on with this one "
            f"({'; '.join(changed)}): give the new one a folder of its own"
        )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{key}.")
        else:
            flat[key] = value
    return flat
