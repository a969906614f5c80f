"""Tiny models of the Qwen family with random weights: images of any size, positions of three parts.

Qwen2.5-VL has attention alone; Qwen3.5 also has layers with a state instead of keys and values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tiny_qwen2_5(folder: Path) -> None:
    """Qwen2.5-VL. Its generation config asks for a penalty, which is no part of our decoding."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    vocabulary, tokenizer = _tokenizer()
    Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(min_pixels=28 * 28 * 2, max_pixels=28 * 28 * 8),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=_TEMPLATE,
    ).save_pretrained(folder)
    config = Qwen2_5_VLConfig(
        text_config=_text(vocabulary),
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
            "patch_size": 14,
            "window_size": 56,
        },
        **_places(vocabulary),
    )
    _save(Qwen2_5_VLForConditionalGeneration, config, folder)


def make_tiny_qwen3_5(folder: Path) -> None:
    """Qwen3.5: one layer of linear attention, one of attention."""
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3_5Config,
        Qwen3_5ForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    vocabulary, tokenizer = _tokenizer()
    Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(
            patch_size=16, min_pixels=32 * 32 * 2, max_pixels=32 * 32 * 8
        ),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(),
        chat_template=_TEMPLATE,
    ).save_pretrained(folder)
    linear = {
        "layer_types": ["linear_attention", "full_attention"],
        "head_dim": 16,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
    }
    config = Qwen3_5Config(
        text_config=_text(vocabulary) | linear,
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 32,
            "patch_size": 16,
            "num_position_embeddings": 64,
        },
        **_places(vocabulary),
    )
    _save(Qwen3_5ForConditionalGeneration, config, folder)


def _tokenizer() -> tuple[dict[str, int], Any]:
    """Every byte is a token; SPECIAL has the first ids."""
    from tokenizers import Tokenizer, decoders, models
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: n for n, token in enumerate([*SPECIAL, *sorted(ByteLevel.alphabet())])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[2],
        additional_special_tokens=list(SPECIAL[1:]),
        clean_up_tokenization_spaces=False,
    )
    return vocabulary, fast


def _text(vocabulary: dict[str, int]) -> dict[str, Any]:
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
    return {
        "vocab_size": len(vocabulary),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "rope_parameters": rope,
        "max_position_embeddings": 4096,
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": 2,
        "tie_word_embeddings": False,
    }


def _places(vocabulary: dict[str, int]) -> dict[str, int]:
    names = ("image", "video", "vision_start", "vision_end")
    tokens = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    return {f"{n}_token_id": vocabulary[t] for n, t in zip(names, tokens, strict=True)}


def _save(kind: Any, config: Any, folder: Path) -> None:
    torch.manual_seed(0)
    model = kind(config).eval()
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.15)
    model.generation_config.eos_token_id = 2
    model.generation_config.repetition_penalty = 1.3
    model.save_pretrained(folder)
