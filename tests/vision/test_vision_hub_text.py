"""Encoders whose text side comes from the Hub: tokenizer and tower are taken from local files."""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from vision_tiny import PREPROCESS, TINY, WORDS, put_into_hub_cache, tiny_config, tiny_model

from mgld.vision import load_encoder, save_checkpoint
from mgld.vision.export import export_transformers
from mgld.vision.export_preprocess import write_tokenizer


def test_a_tokenizer_in_the_folder(
    tmp_path: Path, small_bpe: Path, merges: list[str], connections: list[Any]
) -> None:
    simple = load_encoder(str(small_bpe), device="cpu")
    config = tiny_config(text_cfg={"vocab_size": 514 + len(merges), "hf_tokenizer_name": "org/bpe"})
    folder = tmp_path / "encoder"
    save_checkpoint(folder, tiny_model(config), config, PREPROCESS)
    write_tokenizer(simple.tokenizer.tokenizer, 16, folder)
    encoder = load_encoder(str(folder), device="cpu")
    names = [*WORDS, "Old " * 20]
    np.testing.assert_allclose(encoder.encode_names(names), simple.encode_names(names), atol=1e-6)
    # whether a Hub tokenizer knows a script is asked of its tokens alone
    assert encoder.name_flags([*names, "北京"]) == [*[""] * 4, "truncated", "unfamiliar_script"]
    assert encoder.fingerprint != simple.fingerprint
    with pytest.raises(ValueError, match=r"text_cfg\.hf_tokenizer_name"):
        export_transformers(str(folder), tmp_path / "out")
    assert connections == []


def test_a_text_tower_in_the_hub_cache(
    tmp_path: Path,
    small_bpe: Path,
    monkeypatch: pytest.MonkeyPatch,
    connections: list[Any],
    photos: list[Image.Image],
) -> None:
    import open_clip
    from huggingface_hub import constants
    from transformers import RobertaConfig

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    tower = tmp_path / "tower"
    RobertaConfig(
        vocab_size=600,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        pad_token_id=1,
        max_position_embeddings=40,
    ).save_pretrained(tower)
    config = deepcopy(TINY)
    config["text_cfg"] = {
        "context_length": 16,
        "hf_model_name": "org/roberta",
        "hf_tokenizer_name": "org/roberta",
        "hf_pooler_type": "mean_pooler",
    }
    local = deepcopy(config)
    local["text_cfg"] |= {"hf_model_name": str(tower), "hf_model_pretrained": False}
    torch.manual_seed(0)
    model = open_clip.CustomTextCLIP(**local)
    folder = tmp_path / "encoder"
    save_checkpoint(folder, model, config, PREPROCESS)
    simple = load_encoder(str(small_bpe), device="cpu")
    write_tokenizer(simple.tokenizer.tokenizer, 16, folder)
    with pytest.raises(FileNotFoundError, match="text tower org/roberta"):
        load_encoder(str(folder), device="cpu")
    shutil.copy(tower / "config.json", tmp_path / "config.json")
    put_into_hub_cache(tmp_path / "hub", "org/roberta", tmp_path / "config.json")
    encoder = load_encoder(str(folder), device="cpu")
    assert encoder.encode_names(WORDS).shape == (4, 24)
    assert encoder.encode_images(photos).shape == (7, 24)
    assert connections == []
