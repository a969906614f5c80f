"""A vision-language model made on the spot: real LLaVA classes, weights set by hand, no training.

It answers with one of a few fixed texts: chosen by the picture's strongest colour channel, or,
where the prompt has a certain word, the text for that word; nothing at all without picture and
word. So a reply is known beforehand, and the right one proves that the picture arrived and was
decoded. How: the vision tower passes on mean red, green and blue; the only layer's attention
averages them over all tokens, which decides how a text begins; from there every piece of a text
points at the next one, which works because no piece occurs twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

CHANNELS = ("red", "green", "blue")
SIDE, PATCH = 32, 16
IMAGE_TOKENS = (SIDE // PATCH) ** 2
"""Tokens that a picture of any size counts for."""
_PAD, _END, _IMAGE, _START = "<pad>", "<end>", "<image>", "<reply>"
_TEMPLATE = (
    "{% for message in messages %}[{{ message['role'] }}]"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{{ '\n' }}{% endfor %}{% if add_generation_prompt %}<reply>{% endif %}"
)


def make_tiny_vlm(folder: Path, replies: Mapping[str, str]) -> dict[str, int]:
    """Write model, processor and chat template to `folder`, as `save_pretrained` does.

    replies: the text for each of `CHANNELS`, and for any other word that a prompt may have; ASCII.
    Returns how many tokens each reply has, with the end token. Every byte of a prompt is a token,
    and so is every one of those words.
    """
    pieces = _unique_pieces(replies)
    words = [word for word in replies if word not in CHANNELS]
    vocabulary = _vocabulary(pieces, words)
    _processor(vocabulary, words).save_pretrained(folder)
    model = _blank_model(vocabulary)
    _see_colours(model)
    _speak(model, vocabulary, pieces)
    model.save_pretrained(folder)
    return {cue: len(each) + 1 for cue, each in pieces.items()}


def make_babbling_vlm(folder: Path) -> None:
    """The same kind of model with random weights: what it says is no JSON and never ends."""
    vocabulary = _vocabulary({}, [])
    _processor(vocabulary, []).save_pretrained(folder)
    torch.manual_seed(0)
    model = _blank_model(vocabulary)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    model.lm_head.weight.data[: vocabulary["a"]] = 0  # no end token, and no quotes or braces
    model.lm_head.weight.data[vocabulary["z"] + 1 :] = 0
    model.save_pretrained(folder)


def _unique_pieces(replies: Mapping[str, str]) -> dict[str, list[str]]:
    """Each reply cut into pieces of which none occurs twice, in this or another reply."""
    used: set[str] = set()
    cut: dict[str, list[str]] = {}
    for cue, reply in replies.items():
        rest, pieces = reply, []
        while rest:
            length = next((n for n in range(1, len(rest) + 1) if rest[:n] not in used), None)
            if length is None:  # the rest itself is taken: it goes to the last piece
                pieces[-1] += rest
                break
            pieces.append(rest[:length])
            used.add(rest[:length])
            rest = rest[length:]
        cut[cue] = pieces
    everything = [piece for pieces in cut.values() for piece in pieces]
    if len(set(everything)) != len(everything):
        raise ValueError("replies too alike to be cut into pieces that occur once")
    return cut


def _vocabulary(pieces: Mapping[str, list[str]], words: list[str]) -> dict[str, int]:
    """Token -> id: special tokens, words, bytes (in the byte-level alphabet), pieces of replies."""
    from tokenizers.pre_tokenizers import ByteLevel

    tokens = [_PAD, _END, _IMAGE, _START, *words, *sorted(ByteLevel.alphabet())]
    tokens += [_byte_level(piece) for each in pieces.values() for piece in each]
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}


def _byte_level(text: str) -> str:
    return text.replace(" ", "Ġ").replace("\n", "Ċ")


def _processor(vocabulary: dict[str, int], words: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import CLIPImageProcessor, LlavaProcessor, PreTrainedTokenizerFast

    # Without merges, a prompt is bytes; the pieces are only ever decoded.
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=_PAD,
        eos_token=_END,
        additional_special_tokens=[_IMAGE, _START, *words],
        clean_up_tokenization_spaces=False,
    )
    images = CLIPImageProcessor(
        size={"shortest_edge": SIDE},
        crop_size={"height": SIDE, "width": SIDE},
        image_mean=[0.0] * 3,
        image_std=[1.0] * 3,
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=fast,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )


def _blank_model(vocabulary: dict[str, int]) -> Any:
    """One layer of language, one of vision; a direction of the hidden space per token."""
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
    )

    width = -(-(len(vocabulary) + len(CHANNELS)) // 8) * 8
    text = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=65536,
        tie_word_embeddings=False,
        pad_token_id=vocabulary[_PAD],
        bos_token_id=None,
        eos_token_id=vocabulary[_END],
    )
    vision = CLIPVisionConfig(
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        image_size=SIDE,
        patch_size=PATCH,
    )
    config = LlavaConfig(
        text_config=text,
        vision_config=vision,
        image_token_index=vocabulary[_IMAGE],
        image_seq_length=IMAGE_TOKENS,
        vision_feature_layer=-1,
    )
    model = LlavaForConditionalGeneration(config).eval()
    model.generation_config.eos_token_id = vocabulary[_END]
    model.generation_config.pad_token_id = vocabulary[_PAD]
    return model


def _see_colours(model: Any) -> None:
    """An image token becomes its patch's mean red, green and blue, in the last three directions."""
    tower, projector = model.model.vision_tower, model.model.multi_modal_projector
    for name, weight in [*tower.named_parameters(), *projector.named_parameters()]:
        weight.data.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
    vision = getattr(tower, "vision_model", tower)
    for channel in range(len(CHANNELS)):
        out = channel - len(CHANNELS)
        vision.embeddings.patch_embedding.weight.data[channel, channel] = 1 / PATCH**2
        projector.linear_1.weight.data[channel, channel] = 1.0
        projector.linear_2.weight.data[out, channel] = 1.0


def _speak(model: Any, vocabulary: dict[str, int], pieces: Mapping[str, list[str]]) -> None:
    """The next token follows from the last one; after the start, from colours and words."""
    language, head = model.model.language_model, model.lm_head.weight.data
    for name, weight in language.named_parameters():
        weight.data.fill_(1.0 if "norm" in name else 0.0)
    head.zero_()
    attention, embedding = language.layers[0].self_attn, language.embed_tokens.weight.data
    embedding[vocabulary[_START], vocabulary[_START]] = 1.0
    head[vocabulary[_END], vocabulary[_START]] = 1e-9
    for cue, texts in pieces.items():
        chain = [vocabulary[_byte_level(piece)] for piece in texts]
        of_picture = cue in CHANNELS
        direction = CHANNELS.index(cue) - len(CHANNELS) if of_picture else vocabulary[cue]
        if not of_picture:
            embedding[direction, direction] = 1.0
        # Queries and keys are zero, so this is the mean over all tokens. One word outweighs all
        # colours, and a token's own direction, of length 1, outweighs both.
        attention.v_proj.weight.data[direction, direction] = 0.001 if of_picture else 0.02
        attention.o_proj.weight.data[direction, direction] = 1.0
        head[chain[0], direction] = 1.0
        for token, following in zip(chain, [*chain[1:], vocabulary[_END]], strict=True):
            embedding[token, token] = 1.0
            head[following, token] = 1.0
