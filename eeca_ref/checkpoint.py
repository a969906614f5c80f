"""Models from their parts, models from an earlier stage, and adapters by themselves.

Whole models are saved and loaded by transformers' own `save_pretrained` and `from_pretrained`. What
is here refuses to leave a weight at random, or to load one to a place where it means something
else, unless it is named.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from eeca_ref.config import EecaConfig
from eeca_ref.model import EecaForConditionalGeneration
from eeca_ref.vision import VisionTower

ADAPTERS = ("lr_adapter", "resampler", "classifier", "log_tau")
ADAPTERS_FILE = "adapters.safetensors"

# settings that say what the weights of a part mean, beside their shapes
_MEANING = {
    "lr_adapter": (),
    "resampler": ("hr_source", "tile_embedding", "queries_per_tile", "resampler_heads"),
    "classifier": ("hierarchical_labels",),
    "log_tau": (),
    "language_model": (),
    "vision_tower": (),
}


def from_parts(
    *,
    vision: str | Path,
    language_model: str | Path,
    image_token_id: int,
    options: dict[str, Any] | None = None,
    **settings: Any,
) -> EecaForConditionalGeneration:
    """Put a CLIP checkpoint and a causal language model together, as stage 1 begins.

    The adapters are new. Nothing of the language model is resized.

    Args:
        vision: Hub id or folder of a CLIP checkpoint (`mgld encoder export` writes one).
        language_model: Hub id or folder of a causal language model.
        image_token_id: of `<image>` in the tokenizer.
        options: of transformers' `from_pretrained` (dtype, attn_implementation, revision, ...).
        settings: of `EecaConfig`.
    """
    options = options or {}
    tower, vision_config = VisionTower.from_pretrained(vision, **options)
    text = AutoModelForCausalLM.from_pretrained(str(language_model), **options)
    config = EecaConfig(
        vision_config=vision_config,
        text_config=text.config,
        image_token_id=image_token_id,
        # a configuration overwrites that of its parts, with None: attention without any mask
        attn_implementation=text.config._attn_implementation,
        **settings,
    )
    model = EecaForConditionalGeneration(config, vision_tower=tower, language_model=text)
    # not the whole model: buffers stay in float32, as `from_pretrained` leaves them. Rotary
    # frequencies in bfloat16 would put every position elsewhere; log tau stays, too
    for part in (model.vision_tower, model.lr_adapter, model.resampler, model.classifier):
        if part is not None:
            part.to(text.dtype)
    model.generation_config = text.generation_config
    return model


def warm_start(
    folder: str | Path,
    *,
    new: Collection[str] = (),
    options: dict[str, Any] | None = None,
    **changes: Any,
) -> EecaForConditionalGeneration:
    """A saved model with other settings, as stage 2 and stage 3 begin.

    Args:
        folder: what `save_pretrained` wrote, or a Hub id.
        new: parts that begin anew: of `resampler`, `classifier`, `log_tau`, `lr_adapter`.
        options: of transformers' `from_pretrained`.
        changes: settings of `EecaConfig` that differ from the saved ones.

    Raises:
        ValueError: a part outside `new` is missing, has other shapes or another meaning; a part
            that was saved would be dropped; `new` names what the model does not have.
    """
    saved = EecaConfig.from_pretrained(folder)
    config = EecaConfig.from_pretrained(folder, **changes)
    _check_meaning(saved, config, set(ADAPTERS) - set(new))
    model: EecaForConditionalGeneration
    model, report = EecaForConditionalGeneration.from_pretrained(
        folder,
        config=config,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are refused below, with their names
        **(options or {}),
    )
    _check_new(model, new)
    wrong = {
        "not in the checkpoint": report["missing_keys"],
        "of another shape": [key for key, *_ in report["mismatched_keys"]],
        "saved, but this model has no place for it": report["unexpected_keys"],
    }
    for why, keys in wrong.items():
        parts = sorted(_parts(keys) - set(new))
        if parts:
            raise ValueError(
                f"{folder}: {', '.join(parts)}: {why} (a part that is meant to begin "
                "anew is named in `new`)"
            )
    if new:
        _begin_anew(model, new)
    return model


def save_adapters(model: EecaForConditionalGeneration, folder: str | Path) -> Path:
    """Write what is not the vision tower and not the language model: all that stage 1 trains.

    Returns the safetensors file; the configuration stands beside it. After stages that train the
    language model, adapters alone are not the model.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.contiguous().cpu() for key, value in _adapter_state(model).items()}
    metadata = {"format": "pt", "vision_tower": vision_fingerprint(model)}
    model.config.save_pretrained(folder)
    temporary = folder / f".{ADAPTERS_FILE}"
    save_file(tensors, temporary, metadata=metadata)
    return temporary.rename(folder / ADAPTERS_FILE)


def load_adapters(
    model: EecaForConditionalGeneration, folder: str | Path, *, new: Collection[str] = ()
) -> None:
    """Load what `save_adapters` wrote into a model, in place.

    Args:
        model: with the vision tower that the adapters were trained on.
        folder: of `save_adapters`.
        new: parts of the model that the folder need not have; they stay as they are.

    Raises:
        ValueError: another vision tower; a part outside `new` is missing, or has another shape or
            another meaning; a part was saved that the model does not have.
    """
    from safetensors import safe_open

    folder = Path(folder)
    _check_new(model, new)
    with safe_open(folder / ADAPTERS_FILE, framework="pt") as file:
        tower = (file.metadata() or {}).get("vision_tower")
        saved = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if tower != vision_fingerprint(model):
        raise ValueError(f"{folder}: these adapters were trained on another vision tower")
    _check_meaning(EecaConfig.from_pretrained(folder), model.config, _parts(saved) - set(new))
    own = _adapter_state(model)
    missing = sorted(_parts(own.keys() - saved.keys()) - set(new))
    extra = sorted(_parts(saved.keys() - own.keys()) - set(new))
    shapes = sorted(
        key
        for key in own.keys() & saved.keys()
        if own[key].shape != saved[key].shape and not _parts([key]) <= set(new)
    )
    if missing or extra or shapes:
        raise ValueError(
            f"{folder}: missing: {', '.join(missing) or '-'}; without a place in this model: "
            f"{', '.join(extra) or '-'}; of another shape: {', '.join(shapes) or '-'}"
        )
    with torch.no_grad():
        for key in own.keys() & saved.keys():
            if not _parts([key]) <= set(new):
                own[key].copy_(saved[key])


def vision_fingerprint(model: EecaForConditionalGeneration) -> str:
    """SHA-256 of the vision tower's weights, rounded to bfloat16: of whatever dtype they are in."""
    import hashlib

    digest = hashlib.sha256()
    for name, value in sorted(model.vision_tower.state_dict().items()):
        digest.update(f"{name} {list(value.shape)}".encode())
        bits = value.to(torch.bfloat16) if value.is_floating_point() else value
        digest.update(bits.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _begin_anew(model: EecaForConditionalGeneration, parts: Collection[str]) -> None:
    """New weights for some parts, also for those that were saved with the same shape.

    The model around them is built without memory: another language model of random weights would
    take minutes and as much memory as the first.
    """
    with torch.device("meta"):
        shape = EecaForConditionalGeneration(model.config)
    for part in parts:
        old, begun = getattr(model, part), getattr(shape, part)
        if isinstance(old, Tensor):
            old.data.fill_(model.config.log_tau)
        else:
            begun.to_empty(device="cpu").apply(shape._init_weights)
            old.load_state_dict(begun.state_dict())


def _adapter_state(model: EecaForConditionalGeneration) -> dict[str, Tensor]:
    return {k: v for k, v in model.state_dict().items() if _parts([k]) <= set(ADAPTERS)}


def _parts(keys: Iterable[str]) -> set[str]:
    return {key.split(".")[0] for key in keys}


def _check_new(model: EecaForConditionalGeneration, new: Collection[str]) -> None:
    lacking = sorted(part for part in new if part not in ADAPTERS or getattr(model, part) is None)
    if lacking:
        raise ValueError(f"`new` names what this model does not have: {', '.join(lacking)}")


def _check_meaning(saved: EecaConfig, wanted: EecaConfig, parts: Collection[str]) -> None:
    """Refuse weights whose shapes may fit although they mean something else."""
    has = {
        "resampler": saved.hr and wanted.hr,
        "classifier": bool(saved.hierarchical_labels and wanted.hierarchical_labels),
    }
    for part in sorted(parts):
        for name in _MEANING[part] if has.get(part, True) else ():
            before, after = getattr(saved, name), getattr(wanted, name)
            if before != after:
                shown = json.dumps([before, after])
                shown = shown if len(shown) < 200 else "they differ"
                raise ValueError(f"{part} was trained with another {name}: {shown}")
