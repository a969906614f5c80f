"""One hash that names an encoder: configuration, weights and tokenizer, not their file format."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def fingerprint(
    model_cfg: Mapping[str, Any],
    preprocess_cfg: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    tokenizer: str,
) -> str:
    """ "sha256:" and 64 hex digits.

    Hashed are the canonical JSON of both configurations, then each tensor in the order of its name
    (name, dtype, shape, bytes), then the tokenizer's identity. Settings equal to open_clip's
    default are left out: saying a default aloud, or a newer open_clip with one more setting, does
    not make another encoder.

    Args:
        model_cfg: open_clip's model configuration.
        preprocess_cfg: the full image preparation, every field.
        weights: the state dict, on any device.
        tokenizer: see `NameTokenizer.identity`.
    """
    import torch

    digest = hashlib.sha256()

    def add(part: bytes) -> None:
        # the length keeps neighbouring parts apart
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)

    config = {"model_cfg": without_defaults(model_cfg), "preprocess_cfg": dict(preprocess_cfg)}
    add(json.dumps(config, sort_keys=True, ensure_ascii=False).encode())
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        add(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        add(memoryview(tensor.reshape(-1).view(torch.uint8).numpy()))  # type: ignore[arg-type]  # bytes-like
    add(tokenizer.encode())
    return "sha256:" + digest.hexdigest()


def without_defaults(model_cfg: Mapping[str, Any]) -> dict[str, Any]:
    """`model_cfg` less the settings that equal open_clip's defaults."""
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

    result = {
        key: value
        for key, value in model_cfg.items()
        if not (key in ("quick_gelu", "custom_text") and not value)
    }
    for part, defaults in (("vision_cfg", CLIPVisionCfg), ("text_cfg", CLIPTextCfg)):
        known = {field.name: field.default for field in dataclasses.fields(defaults)}
        result[part] = {
            key: value
            for key, value in model_cfg[part].items()
            if key not in known or value != known[key]
        }
    return result
