"""Loading a transformers model and its processor from this machine; nothing is downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Loaded:
    """A model in evaluation mode on its device. end: token ids that end an answer."""

    model: Any
    processor: Any
    device: torch.device
    dtype: str
    end: frozenset[int]
    pad: int


def load(name: str, device: str | None) -> Loaded:
    """The model of a folder, or of a repository in the download cache; bfloat16 on a GPU.

    FileNotFoundError: it is not here, with the command that gets it; ValueError: it is no
    image-text-to-text model, lacks some of its weights, or has no chat template.
    """
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor, GenerationConfig

    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    bfloat16 = where.type == "cuda" and torch.cuda.is_bf16_supported()
    dtype = torch.bfloat16 if bfloat16 else torch.float32
    kwargs = {"local_files_only": True, "trust_remote_code": False}
    try:
        processor = AutoProcessor.from_pretrained(name, **kwargs)
        model, report = AutoModelForImageTextToText.from_pretrained(
            name, dtype=dtype, output_loading_info=True, **kwargs
        )
    except OSError as error:
        if Path(name).is_dir():
            raise ValueError(
                f"{name} is no transformers image-text-to-text model: {error}"
            ) from error
        raise FileNotFoundError(
            f"the model {name} is not on this machine; `hf download {name}` gets it"
        ) from error
    if report["missing_keys"]:  # transformers leaves them at random, and says so in a warning
        lacking = sorted(report["missing_keys"])
        more = ", ..." if len(lacking) > 3 else ""
        raise ValueError(
            f"{name} lacks {len(lacking)} of the model's weights: {', '.join(lacking[:3])}{more}"
        )
    if not getattr(processor, "chat_template", None):
        raise ValueError(f"{name} has no chat template: there is no way to put a question to it")
    tokenizer = processor.tokenizer
    tokenizer.padding_side = "left"
    ends = model.generation_config.eos_token_id
    ends = tokenizer.eos_token_id if ends is None else ends
    end = frozenset([ends] if isinstance(ends, int) else ends or [])
    pad = tokenizer.pad_token_id
    if pad is None:
        # Padding is masked, so which token it is has no effect.
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(min(end)) if end else "<pad>"
        pad = tokenizer.pad_token_id
    # Its defaults (a repetition penalty, a top-k) would be part of the decoding unseen.
    model.generation_config = GenerationConfig()
    return Loaded(model.eval().to(where), processor, where, str(dtype).split(".")[1], end, pad)


def cached_commit(repository: str) -> str:
    """The commit whose files the download cache has, as its folders are named."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(repository, "config.json")
    assert isinstance(config, str)  # the model was just loaded from there
    return Path(config).parent.name
