"""A recipe on tiny random parts, all of them written on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml
from eeca_cli_model import photograph  # puts the folders of tests on the path
from eeca_tiny import tiny_text, tiny_vision

from eeca_ref.data.images import CLIP_MEAN, CLIP_STD

ANSWER = "The church has blue walls and a lime roof, with a gold beacon."


def write_parts(folder: Path) -> dict[str, str]:
    """`vision` and `language_model` as a recipe's `model` names them."""
    from chat_tokenizers import llama3
    from transformers import CLIPVisionModel, LlamaForCausalLM

    torch.manual_seed(0)
    vision, language_model = folder / "vision", folder / "language_model"
    CLIPVisionModel(tiny_vision()).save_pretrained(vision)
    normalised = {"image_mean": list(CLIP_MEAN), "image_std": list(CLIP_STD)}
    (vision / "preprocessor_config.json").write_text(json.dumps(normalised))
    tokenizer = llama3()
    text = tiny_text(
        vocab_size=len(tokenizer),
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
        max_position_embeddings=512,
    )
    LlamaForCausalLM(text).save_pretrained(language_model)
    tokenizer.save_pretrained(language_model)
    return {"vision": str(vision), "language_model": str(language_model)}


def write_llava(folder: Path, rows: int = 6) -> dict[str, Any]:
    """LLaVA's JSON with images, and a row that is none; as a recipe's `data.source`."""
    images = folder / "images"
    images.mkdir(parents=True)
    content: list[dict[str, Any]] = [{"id": "bad", "conversations": "none"}]
    for number in range(rows):
        (images / f"{number}.png").write_bytes(photograph(number))
        said = [("human", "<image>\nWhat is the location?"), ("gpt", ANSWER)]
        turns = [{"from": who, "value": what} for who, what in said]
        content.append({"id": f"r{number}", "image": f"{number}.png", "conversations": turns})
    (folder / "chat.json").write_text(json.dumps(content))
    return {"kind": "llava", "json_file": str(folder / "chat.json"), "images": {"": str(images)}}


def write_recipe(path: Path, parts: dict[str, str], source: dict[str, Any], **data: Any) -> Path:
    """A YAML file that `eeca` takes, without the losses of entities and labels."""
    recipe = {
        "name": "tiny",
        "about": "Tiny & random",
        "model": {
            **parts,
            "settings": {
                "max_sequence_length": 256,
                "resampler_queries": 6,
                "resampler_heads": 2,
                "resampler_head_dim": 8,
                "mu_e": 0,
                "mu_h": 0,
            },
        },
        "data": {"source": source, "workers": 0, **data},
        "train": ["lr_adapter", "resampler", "language_model"],
        "optim": {"lr": 1e-3, "global_batch": 2, "micro_batch": 2},
        "engine": {"precision": "fp32", "checkpointing": False},
        "log": {"gradient_norms_every": None},
    }
    path.write_text(yaml.safe_dump(recipe))
    return path
