"""open_clip's tokenizer and image preparation as transformers' files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

START = "<|startoftext|>"
END = "<|endoftext|>"

# CLIP's pre-tokenization, less the two markers: a name that spells one is text here.
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
CASED = r"[\p{Lu}\p{Ll}\p{Lt}]"


def write_tokenizer(simple: Any, context_length: int, folder: Path) -> None:
    """Write open_clip's `SimpleTokenizer` as tokenizer.json, vocab.json and merges.txt.

    transformers' own `CLIPTokenizer` normalizes with NFC and lower-casing alone; SimpleTokenizer
    cleans with ftfy before. What ftfy does character by character (curly quotes, ligatures, full
    and half width, control characters) and Python's final sigma are written into tokenizer.json,
    which `AutoTokenizer` and `CLIPProcessor` read. No equivalent have the repair of mojibake, HTML
    entities ("&amp;") and curiosities (the long s, a capital sigma behind punctuation): names
    with these may get other ids. Padding is the end marker (what is behind the first is unseen).
    """
    from ftfy.chardata import (
        CONTROL_CHARS,
        DOUBLE_QUOTE_RE,
        LIGATURES,
        SINGLE_QUOTE_RE,
        WIDTH_MAP,
    )
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
    from tokenizers.models import BPE
    from tokenizers.processors import RobertaProcessing

    vocabulary = dict(simple.encoder)
    for marker, token_id in zip((START, END), simple.all_special_ids, strict=True):
        vocabulary = {token: i for token, i in vocabulary.items() if i != token_id}
        vocabulary[marker] = token_id
    merges = list(simple.bpe_ranks)
    tokenizer = Tokenizer(BPE(vocabulary, merges, end_of_word_suffix="</w>", unk_token=END))
    one_by_one = {**LIGATURES, **WIDTH_MAP}
    tokenizer.normalizer = normalizers.Sequence(
        [
            *(normalizers.Replace(chr(code), text) for code, text in one_by_one.items()),
            normalizers.Replace(Regex(SINGLE_QUOTE_RE.pattern), "'"),
            normalizers.Replace(Regex(DOUBLE_QUOTE_RE.pattern), '"'),
            *(normalizers.Replace(chr(code), "") for code in CONTROL_CHARS),
            normalizers.NFC(),
            # Rust lower-cases letter by letter; Python knows the sigma that ends a word
            normalizers.Replace(Regex(rf"(?<={CASED})Σ(?!{CASED})"), "ς"),
            normalizers.Lowercase(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteLevel(), decoders.Replace("</w>", " "), decoders.Strip(" ", 0, 1)]
    )
    tokenizer.post_processor = RobertaProcessing(
        (END, vocabulary[END]), (START, vocabulary[START]), trim_offsets=False
    )
    tokenizer.add_special_tokens(
        [AddedToken(marker, special=True, normalized=False) for marker in (START, END)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(folder / "vocab.json", vocabulary)
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = {
        # not CLIPTokenizer, which would build its own normalizer in place of ours
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": START,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
    }
    _write_json(folder / "tokenizer_config.json", config)


def why_no_preprocessing(preprocess_cfg: Mapping[str, Any]) -> str | None:
    """What of open_clip's image preparation transformers' CLIP cannot do; None if nothing."""
    if preprocess_cfg["resize_mode"] not in ("shortest", "squash"):
        return f"preprocess_cfg.resize_mode = {preprocess_cfg['resize_mode']!r}"
    return None


def write_image_processor(preprocess_cfg: Mapping[str, Any], folder: Path) -> None:
    """Write open_clip's image preparation as preprocessor_config.json."""
    from PIL.Image import Resampling
    from transformers import CLIPImageProcessorPil

    height, width = preprocess_cfg["size"]
    squash = preprocess_cfg["resize_mode"] == "squash"
    # open_clip takes every interpolation that is not bilinear for bicubic
    bilinear = preprocess_cfg["interpolation"] == "bilinear"
    processor = CLIPImageProcessorPil(
        size={"height": height, "width": width} if squash else {"shortest_edge": height},
        do_center_crop=not squash,
        crop_size={"height": height, "width": width},
        resample=Resampling.BILINEAR if bilinear else Resampling.BICUBIC,
        image_mean=list(preprocess_cfg["mean"]),
        image_std=list(preprocess_cfg["std"]),
    )
    processor.save_pretrained(folder)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
