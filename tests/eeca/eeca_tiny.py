"""Configurations of random models that are small enough for tests."""

from __future__ import annotations

import zlib
from typing import Any

import torch
from transformers import CLIPVisionConfig, LlamaConfig

from eeca_ref.config import EecaConfig
from eeca_ref.model import EecaForConditionalGeneration

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


def tiny_model(**changes: Any) -> EecaForConditionalGeneration:
    """Random weights, a part's the same in all configurations; LayerNorms do something too."""
    torch.manual_seed(0)
    model = EecaForConditionalGeneration(tiny_config(**changes)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name != "log_tau":
                torch.manual_seed(zlib.crc32(name.encode()))
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def tiny_batch(*, image_token_id: int = VOCABULARY, padding: int = 0) -> dict[str, torch.Tensor]:
    """As the trainer's collate makes it: image and three entities, text alone, image and one.

    Row lengths are 8, 7 and 5 ids; 3, 2 and 2 of them are supervised.
    """
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(8, VOCABULARY, (3, 8), generator=generator)
    ids = torch.nn.functional.pad(ids, (0, padding))
    mask = torch.zeros_like(ids, dtype=torch.bool)
    labels = torch.full_like(ids, -100)
    for row, (length, supervised) in enumerate(((8, 3), (7, 2), (5, 2))):
        mask[row, :length] = True
        ids[row, length:] = 0
        labels[row, length - supervised : length] = ids[row, length - supervised : length]
    ids[0, 1] = ids[2, 1] = image_token_id
    pixels = torch.randn(3, 3, 32, 32, generator=generator)
    pixels[1] = 0
    entity_mask = torch.tensor([[1, 1, 1], [0, 0, 0], [1, 0, 0]], dtype=torch.bool)
    token_mask = torch.tensor([[1, 1], [1, 0], [1, 1]], dtype=torch.bool).expand(3, 3, 2).clone()
    return {
        "pixel_values_BCHW": pixels,
        "has_image_B": torch.tensor([True, False, True]),
        "input_ids_BL": ids,
        "attention_mask_BL": mask,
        "labels_BL": labels,
        "entity_ids_BET": torch.randint(8, VOCABULARY, (3, 3, 2), generator=generator),
        "entity_token_mask_BET": token_mask & entity_mask[..., None],
        "entity_mask_BE": entity_mask,
        "class_B": torch.tensor([2, -100, 0]),
    }
