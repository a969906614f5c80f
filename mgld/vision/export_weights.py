"""open_clip's CLIP as a transformers `CLIPModel`: configuration and tensors, or why not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Settings that `clip_config` translates, and those that change nothing in evaluation (or, the last
# LayerNorm after pooling one token instead of before, nothing at all).
VISION_SETTINGS = frozenset(
    {
        "layers",
        "width",
        "head_width",
        "mlp_ratio",
        "patch_size",
        "image_size",
        "norm_kwargs",
        "patch_dropout",
        "output_tokens",
        "pos_embed_type",
        "final_ln_after_pool",
    }
)
TEXT_SETTINGS = frozenset(
    {
        "context_length",
        "vocab_size",
        "width",
        "heads",
        "layers",
        "mlp_ratio",
        "norm_kwargs",
        "pad_id",
        "eos_id",
        "output_tokens",
        "final_ln_after_pool",
    }
)
TOP_SETTINGS = frozenset(
    {
        "embed_dim",
        "vision_cfg",
        "text_cfg",
        "quick_gelu",
        "init_logit_scale",
        "nonscalar_logit_scale",
    }
)


def why_not(model_cfg: Mapping[str, Any]) -> str | None:
    """The first setting of an open_clip model that transformers' CLIP has no equivalent for.

    None where there is an exact equivalent. Every setting that is not known to have one counts,
    so that a setting that a newer open_clip adds is refused and not ignored.
    """
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

    for key, value in model_cfg.items():
        if key not in TOP_SETTINGS and value:
            return f"{key} = {value!r}"
    for part, config_class, settings in (
        ("vision_cfg", CLIPVisionCfg, VISION_SETTINGS),
        ("text_cfg", CLIPTextCfg, TEXT_SETTINGS),
    ):
        config = config_class(**model_cfg[part])
        for field in dataclasses.fields(config):
            value = getattr(config, field.name)
            if field.name not in settings and value != field.default:
                return f"{part}.{field.name} = {value!r}"
        if set(config.norm_kwargs or {}) - {"eps"}:
            return f"{part}.norm_kwargs = {config.norm_kwargs!r}"
    vision = CLIPVisionCfg(**model_cfg["vision_cfg"])
    if not isinstance(vision.layers, int):
        return f"vision_cfg.layers = {vision.layers!r} (a ResNet)"
    for name in ("image_size", "patch_size"):
        value = getattr(vision, name)
        if not isinstance(value, int) and value[0] != value[1]:
            return f"vision_cfg.{name} = {value!r} (not square)"
    return None


def clip_config(model_cfg: Mapping[str, Any], *, bos_token_id: int, eos_token_id: int) -> Any:
    """The `transformers.CLIPConfig` of an open_clip model for which `why_not` says None."""
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg
    from transformers import CLIPConfig

    vision = CLIPVisionCfg(**model_cfg["vision_cfg"])
    text = CLIPTextCfg(**model_cfg["text_cfg"])
    embed_dim = model_cfg["embed_dim"]
    activation = "quick_gelu" if model_cfg.get("quick_gelu") else "gelu"

    def tower(config: Any, heads: int) -> dict[str, Any]:
        return {
            "hidden_size": config.width,
            "intermediate_size": int(config.width * config.mlp_ratio),
            "num_hidden_layers": config.layers,
            "num_attention_heads": heads,
            "hidden_act": activation,
            "layer_norm_eps": (config.norm_kwargs or {}).get("eps", 1e-5),
            "projection_dim": embed_dim,
        }

    return CLIPConfig(
        projection_dim=embed_dim,
        vision_config={
            **tower(vision, vision.width // vision.head_width),
            "image_size": _side(vision.image_size),
            "patch_size": _side(vision.patch_size),
        },
        text_config={
            **tower(text, text.heads),
            "vocab_size": text.vocab_size,
            "max_position_embeddings": text.context_length,
            "bos_token_id": bos_token_id,
            # open_clip pools at the highest id, which is the end of text; transformers at the first
            # position of eos_token_id: the same place, also where padding repeats that token
            "eos_token_id": eos_token_id,
            "pad_token_id": eos_token_id,
        },
    )


def clip_state_dict(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """open_clip's tensors by transformers' names.

    open_clip keeps query, key and value in one matrix and multiplies projections from the right.
    Raises ValueError for a tensor that has no place.
    """
    result: dict[str, torch.Tensor] = {}
    for name, tensor in weights.items():
        if name in _NAMES:
            result[_NAMES[name]] = tensor
        elif name in _TRANSPOSED:
            result[_TRANSPOSED[name]] = tensor.T.contiguous()
        elif name == "logit_scale":
            result[name] = tensor.reshape(())
        elif "transformer.resblocks." in name:
            tower = "vision_model" if name.startswith("visual.") else "text_model"
            number, _, rest = name.partition("resblocks.")[2].partition(".")
            layer = f"{tower}.encoder.layers.{number}."
            module, _, kind = rest.rpartition(".")
            if rest.startswith("attn.in_proj_"):
                kind = rest.removeprefix("attn.in_proj_")
                parts = zip("qkv", tensor.chunk(3), strict=True)
                result |= {
                    f"{layer}self_attn.{letter}_proj.{kind}": part.contiguous()
                    for letter, part in parts
                }
            elif module in _BLOCK:
                result[f"{layer}{_BLOCK[module]}.{kind}"] = tensor
            else:
                raise ValueError(f"transformers' CLIP has no place for the tensor {name}")
        else:
            raise ValueError(f"transformers' CLIP has no place for the tensor {name}")
    return result


def _side(size: int | tuple[int, int]) -> int:
    return size if isinstance(size, int) else size[0]


_NAMES = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
}
_TRANSPOSED = {
    "visual.proj": "visual_projection.weight",
    "text_projection": "text_projection.weight",
}
_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
