"""Small tokenizers, trained on the spot, with chat templates of the kinds that models have."""

from __future__ import annotations

from functools import cache
from typing import Any

TEXTS = [
    "What is the location shown in the image? This is the Eiffel Tower in Paris, an iron lattice "
    "tower with a triangular silhouette. It stands by the Seine and is 330 metres high.",
    "Please describe the landmark. The church has blue walls and a lime roof, with a gold beacon.",
    "Who built it? Gustave Eiffel's company did, for the fair of 1889. When was it opened? In May.",
    "user assistant system question answer image photograph caption of a lake near the mountain",
]

# The header, end and BOS tokens of Llama 3's chat format, written down from its description.
LLAMA3_SPECIAL = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
LLAMA3_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{{ message['content'] | trim }}{{ '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)

CHATML_SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]
CHATML_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

# Bracketed questions, spaces around answers, no system role, no generation prompt.
BRACKETS_SPECIAL = ["<s>", "</s>"]
BRACKETS_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '[Q] ' + message['content'] + ' [/Q]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + ' ' + eos_token }}"
    "{% else %}{{ raise_exception('only user and assistant turns') }}{% endif %}"
    "{% endfor %}"
)

# An empty block of thoughts before the last answer, which the generation prompt leaves out.
THINKING_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' and loop.last %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


# How Llama 3 parts a text before its merges; GPT-2's way takes newlines for spaces like others.
LLAMA3_PARTS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
NEWLINES = "\n\n".join(TEXTS)


@cache
def _trained(special: tuple[str, ...], bos: str | None, parts: str | None) -> str:
    """A byte-level BPE tokenizer as JSON; it adds `bos` in front of what it encodes by default."""
    from tokenizers import (
        Regex,
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        processors,
        trainers,
    )

    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=parts is None)
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(parts), "isolated"), byte_level])
        if parts
        else byte_level
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        [*TEXTS * 3, *["\n\n", NEWLINES] * 3] if parts else TEXTS * 3,
        trainers.BpeTrainer(
            vocab_size=600,
            special_tokens=[*special, "<image>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    if bos is not None:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
    return str(tokenizer.to_str())


def tokenizer(
    special: list[str],
    template: str,
    *,
    bos: str | None,
    eos: str,
    pad: str | None = None,
    parts: str | None = None,
) -> Any:
    """A new transformers tokenizer; training is shared."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    result = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_trained(tuple(special), bos, parts)),
        bos_token=bos,
        eos_token=eos,
        pad_token=pad,
    )
    result.add_special_tokens({"additional_special_tokens": [*special, "<image>"]})
    result.chat_template = template
    return result


def llama3() -> Any:
    return tokenizer(
        LLAMA3_SPECIAL,
        LLAMA3_TEMPLATE,
        bos="<|begin_of_text|>",
        eos="<|eot_id|>",
        parts=LLAMA3_PARTS,
    )


def chatml() -> Any:
    # pad == eos == the end of a turn: the trap for masks that are made from ids.
    return tokenizer(CHATML_SPECIAL, CHATML_TEMPLATE, bos=None, eos="<|im_end|>", pad="<|im_end|>")


def brackets() -> Any:
    return tokenizer(BRACKETS_SPECIAL, BRACKETS_TEMPLATE, bos="<s>", eos="</s>")


def thinking() -> Any:
    return tokenizer(CHATML_SPECIAL, THINKING_TEMPLATE, bos=None, eos="<|im_end|>")


ALL = {"llama3": llama3, "chatml": chatml, "brackets": brackets, "thinking": thinking}
