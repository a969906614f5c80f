"""Whether a recipe's model can be put together, seen without reading its weights."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eeca_ref.recipe import Recipe

if TYPE_CHECKING:
    from eeca_ref.config import EecaConfig

Shapes = dict[str, tuple[int, ...]]


def weight_shapes(folder: Path) -> Shapes:
    """Names and shapes of a checkpoint's tensors, from the headers of its safetensors files.

    FileNotFoundError: there are none, or one that the index names is not there.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    else:
        names = {"model.safetensors"}
    missing = sorted(name for name in names if not (folder / name).is_file())
    if missing:
        raise FileNotFoundError(
            f"{folder}: {', '.join(missing)} is not there: get the checkpoint again, in whole"
        )
    shapes: Shapes = {}
    for name in sorted(names):
        shapes |= _header(folder / name)
    return shapes


def weights_problems(folder: Path) -> list[str]:
    """Why a CLIP checkpoint's or a language model's weights cannot be read, if they cannot."""
    if (folder / "pytorch_model.bin").is_file() or list(folder.glob("pytorch_model*.index.json")):
        return []
    try:
        weight_shapes(folder)
    except (OSError, ValueError) as error:
        return [str(error)]
    return []


def warm_start_problems(recipe: Recipe, folder: Path, config: EecaConfig) -> list[str]:
    """What `warm_start` would refuse of an earlier stage's model, all of it."""
    from eeca_ref.checkpoint import ADAPTERS, _check_meaning
    from eeca_ref.config import EecaConfig

    try:
        saved = weight_shapes(folder)
    except (OSError, ValueError) as error:
        return [str(error)]
    own, new = _shapes_of(config), set(recipe.model.new)
    problems = []
    for part in sorted(set(ADAPTERS) - new):
        try:
            _check_meaning(EecaConfig.from_pretrained(folder), config, {part})
        except ValueError as error:
            problems.append(f"{folder}: {error}")
    lacking = sorted(part for part in new if part not in _parts(own))
    if lacking:
        problems.append(f"model.new names what this model does not have: {', '.join(lacking)}")
    wrong = {
        "not in the checkpoint": own.keys() - saved.keys(),
        "of another shape": {k for k in own.keys() & saved.keys() if own[k] != saved[k]},
        "saved, but this model has no place for it": saved.keys() - own.keys(),
    }
    for why, keys in wrong.items():
        parts = sorted(_parts(keys) - new)
        if parts:
            problems.append(
                f"{folder}: {', '.join(parts)}: {why} (a part that is meant to begin anew is named "
                "in model.new)"
            )
    return problems


def _shapes_of(config: EecaConfig) -> Shapes:
    """Names and shapes of a model's tensors, as they are saved; nothing is allocated."""
    import torch

    from eeca_ref.model import EecaForConditionalGeneration

    with torch.device("meta"):
        model: Any = EecaForConditionalGeneration(config)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    if config.tie_word_embeddings:  # saved once, under the table's name
        shapes.pop("language_model.lm_head.weight", None)
    return shapes


def _header(path: Path) -> Shapes:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    return {name: tuple(about["shape"]) for name, about in header.items() if name != "__metadata__"}


def _parts(names: Iterable[str]) -> set[str]:
    return {name.split(".")[0] for name in names}
