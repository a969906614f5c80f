"""Checkpoints of a run: `checkpoints/step-00000500/{model,resume}`, whole or not there.

`model` is what `from_pretrained` reads; `resume` is what the run goes on from, and nobody else
reads. Kept are the last ones and the best one by validation.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eeca_ref.data.sampler import Cursor
from eeca_ref.training.distributed import World
from eeca_ref.training.safe_load import safe_load
from mgld.files import write_text_atomically
from mgld.schema import Record

CHECKPOINTS, MODEL, RESUME = "checkpoints", "model", "resume"
STATE_FILE = "state.json"
BEST_FILE = "best.json"
ENGINE_TAG = "engine"


class State(Record):
    """Where a run stands; beside the weights, what it goes on from.

    Attributes:
        step: optimizer steps done.
        cursor: the next global batch.
        world_size: processes that wrote it.
        binding: of the token store.
        validation: losses on the rows held out, if there are any.
    """

    step: int
    cursor: Cursor
    world_size: int
    binding: str
    validation: dict[str, float] | None = None


def checkpoint_folder(out: Path, step: int) -> Path:
    """Of a step's checkpoint."""
    return out / CHECKPOINTS / f"step-{step:08d}"


def found_checkpoints(out: Path) -> list[Path]:
    """The whole checkpoints of a run, oldest first."""
    return sorted((out / CHECKPOINTS).glob("step-*"))


def read_state(folder: Path) -> State:
    """Of a checkpoint."""
    return State.model_validate_json((folder / RESUME / STATE_FILE).read_bytes())


def write_checkpoint(
    engine: Any, out: Path, state: State, world: World, *, processor: Any, keep: int
) -> Path:
    """Write a checkpoint beside its place and rename it, then remove those not to be kept.

    Called in all processes. keep: how many of the last are kept, besides the best. OSError: the
    disk is full, or the like; the checkpoints before it are left as they are.
    """
    folder = checkpoint_folder(out, state.step)
    aside = folder.with_name(f".{folder.name}.tmp")
    if world.main:
        _remove(aside)
        (aside / RESUME).mkdir(parents=True)
    world.barrier()
    with _disk_errors(aside):
        save_model(engine, aside / MODEL, world, processor=processor)
        engine.save_checkpoint(
            str(aside / RESUME), tag=ENGINE_TAG, save_latest=False, exclude_frozen_parameters=True
        )
        torch.save(_random_states(), aside / RESUME / _random_file(world.rank))
    world.barrier()
    if world.main:
        (aside / RESUME / STATE_FILE).write_text(state.model_dump_json(indent=1), encoding="utf-8")
        _rename(aside, folder)
        _prune(out, keep)
    world.barrier()
    return folder


def load_resume(engine: Any, folder: Path, world: World) -> None:
    """Bring optimizer and random numbers back to where a checkpoint left them.

    OSError, ValueError: a file is missing, damaged, or holds what no checkpoint does.
    """
    engine.checkpoint_engine.load = safe_load
    read, _ = engine.load_checkpoint(
        str(folder / RESUME),
        tag=ENGINE_TAG,
        load_module_strict=False,  # what is frozen is not in it
        load_lr_scheduler_states=False,
    )
    if read is None:
        raise FileNotFoundError(f"{folder / RESUME} lacks the engine's files: remove {folder}")
    states = safe_load(folder / RESUME / _random_file(world.rank))
    kind, keys, *rest = states["numpy"]
    random.setstate(states["python"])
    np.random.set_state((kind, keys.numpy(), *rest))
    torch.set_rng_state(states["torch"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], world.device)


def write_final_model(engine: Any, out: Path, world: World, *, processor: Any) -> Path:
    """`out/model`: written aside, then renamed. Called in all processes. OSError: a full disk."""
    folder = out / MODEL
    aside = folder.with_name(f".{MODEL}.tmp")
    if world.main:
        _remove(aside)
    world.barrier()
    with _disk_errors(aside):
        save_model(engine, aside, world, processor=processor)
    if world.main:
        _rename(aside, folder)
    world.barrier()
    return folder


def save_model(engine: Any, folder: Path, world: World, *, processor: Any) -> None:
    """Model, processor and labels, as `from_pretrained` reads them. Called in all processes."""
    from eeca_ref.data.labels import LabelVocabulary

    state = whole_weights(engine, keep=world.main)
    if not world.main:
        return
    folder.mkdir(parents=True, exist_ok=True)
    model = engine.module
    model.save_pretrained(folder, state_dict=state)
    processor.save_pretrained(folder)
    if model.config.hierarchical_labels:
        LabelVocabulary(model.config.hierarchical_labels).save(folder)


def whole_weights(engine: Any, *, keep: bool) -> dict[str, Tensor]:
    """The model's weights by name, on the CPU, in the model's precision, log tau in float32.

    Called in all processes, as ZeRO-3 gathers them one by one; `keep`: False leaves the
    dictionary empty. Tied weights are one tensor.
    """
    import deepspeed
    from deepspeed.utils import safe_get_full_fp32_param

    model = engine.module
    state: dict[str, Tensor] = {}
    done: dict[int, Tensor] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        with deepspeed.zero.GatheredParameters([tensor]):
            if keep and id(tensor) not in done:
                done[id(tensor)] = tensor.detach().to("cpu", copy=True)
        if name == "log_tau" and tensor.requires_grad:
            full = safe_get_full_fp32_param(tensor)
            if keep and full is not None:
                done[id(tensor)] = full.detach().float().to("cpu", copy=True)
        if keep:
            state[name] = done[id(tensor)]
    return state


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """OSError in the place of the errors of their own that torch and safetensors have."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        of_torch = "inline_container" in str(error) or "PytorchStreamWriter" in str(error)
        if isinstance(error, RuntimeError) and not of_torch:
            raise
        raise OSError(f"{folder} cannot be written, is the disk full? {error}") from error


def _random_states() -> dict[str, Any]:
    kind, keys, *rest = np.random.get_state()
    states = {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.array(keys)), *rest),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _random_file(rank: int) -> str:
    return f"random-{rank:05d}.pt"


def _prune(out: Path, keep: int) -> None:
    """Remove all but the last `keep` and the best, and say which that is in `best.json`."""
    folders = found_checkpoints(out)
    losses = {}
    for folder in folders:
        validation = read_state(folder).validation
        if validation is not None:
            losses[folder] = validation["loss"]
    kept = set(folders[-keep:])
    if losses:
        best = min(losses, key=lambda folder: (losses[folder], folder))
        kept.add(best)
        about = {"step": int(best.name.removeprefix("step-")), "loss": losses[best]}
        write_text_atomically(out / CHECKPOINTS / BEST_FILE, json.dumps(about) + "\n")
    for folder in folders:
        if folder not in kept:
            doomed = folder.with_name(f".{folder.name}.old")
            _remove(doomed)
            folder.rename(doomed)  # at once: half a checkpoint would be taken for one
            _remove(doomed)


def _rename(aside: Path, folder: Path) -> None:
    """Flush all files to disk, then put the folder in its place."""
    for path in [*sorted(aside.rglob("*")), aside]:
        _flush(path)
    aside.rename(folder)
    _flush(folder.parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
