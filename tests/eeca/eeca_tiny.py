"""Configurations of random models that are small enough for tests."""

from __future__ import annotations

from typing import Any

import torch
from transformers import CLIPVisionConfig, LlamaConfig

from eeca_ref.config import EecaConfig

torch.set_num_threads(1)

VOCABULARY = 64
LABELS = ("church", "lake", "mountain")


def tiny_vision(**changes: Any) -> CLIPVisionConfig:
    """Three layers, 4 patches of an image of 16 pixels."""
    settings = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "patch_size": 8,
        "image_size": 16,
    }
    return CLIPVisionConfig(**(settings | changes))


def tiny_text(**changes: Any) -> LlamaConfig:
    settings = {
        "vocab_size": VOCABULARY,
        "hidden_size": 24,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 128,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    return LlamaConfig(**(settings | changes))


def tiny_config(**changes: Any) -> EecaConfig:
    """All three losses; 4 + 6 visual tokens; `<image>` lies behind the vocabulary."""
    settings = {
        "vision_config": tiny_vision(),
        "text_config": tiny_text(),
        "image_token_id": VOCABULARY,
        "max_sequence_length": 64,
        "resampler_queries": 6,
        "resampler_heads": 2,
        "resampler_head_dim": 8,
        "hierarchical_labels": LABELS,
    }
    return EecaConfig(**(settings | changes))


LR_ONLY = {"hr": False, "mu_e": 0.0, "mu_h": 0.0, "hierarchical_labels": ()}
