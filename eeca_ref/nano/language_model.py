"""A small Llama that knows nothing, and a tokenizer trained on the texts it will read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eeca_ref.data.samples import IMAGE_TOKEN
from mgld.keyed import order_key

VOCABULARY = 1280
"""Tokens: the 256 bytes, the special ones, and what comes often. In the world's texts syllables of
names do, whole names do not, so that a name never seen can be said."""

BOS, HEADER, HEADER_END, END = (
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
)
# Llama 3's chat format, written down from its description.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{{ message['content'] | trim }}{{ '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
# How Llama 3 parts a text before its merges. GPT-2's way would take the newlines before a content
# for spaces like others, and part them otherwise in a prompt than in a whole conversation.
_PARTS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# What the template writes around contents: common in what the model reads, so it is to be whole.
_AROUND = ["system", "user", "assistant", "\n\n", "\n"] * 500


def train_tokenizer(texts: Iterable[str], folder: Path) -> Any:
    """A byte-level BPE tokenizer with Llama 3's splitting, special tokens and chat template.

    The same texts in the same order give the same files. Written to `folder` as a
    PreTrainedTokenizerFast, which is returned.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PARTS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        [*texts, *_AROUND],
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[BOS, HEADER, HEADER_END, END, IMAGE_TOKEN],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=BOS, eos_token=END)
    # No pad token, as Llama 3 has none.
    tokenizer.add_special_tokens({"additional_special_tokens": [HEADER, HEADER_END, IMAGE_TOKEN]})
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    return tokenizer


def random_llama(tokenizer: Any, folder: Path, *, seed: int) -> Any:
    """A Llama of 1.9 M parameters with random weights: the same ones for the same seed.

    Written to `folder` in float32; returned.
    """
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
        pad_token_id=None,
        **ids,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(order_key(seed, "nano language model", 0) >> 1)
        model = LlamaForCausalLM(config).float()
    model.generation_config = GenerationConfig(**ids)
    model.save_pretrained(folder)
    return model
