"""A tiny random model with its processor in a folder, whose answers differ by image and draw."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

# Test modules of other folders are found by their unique names.
for folder in ("eeca", "eeca_data", "hub", "report"):
    sys.path.append(str(Path(__file__).parents[1] / folder))

from chat_tokenizers import llama3  # noqa: E402
from eeca_tiny import tiny_model, tiny_text  # noqa: E402

from eeca_ref.processing import EecaProcessor  # noqa: E402

torch.set_num_threads(1)


def lively_model(**settings):  # type: ignore[no-untyped-def]
    """A random model for the tokenizer `llama3`, with weights large enough to have opinions."""
    tokenizer = llama3()
    text = tiny_text(
        vocab_size=len(tokenizer),
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
        max_position_embeddings=512,
    )
    model = tiny_model(
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        max_sequence_length=256,
        **settings,
    )
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(4)
        for part in (model.lr_adapter, model.resampler, model.language_model.model.layers):
            for weight in part.parameters() if part is not None else ():
                weight.mul_(3)
    return model, tokenizer


def save_model(folder: Path, **settings) -> Path:  # type: ignore[no-untyped-def]
    """Save model and processor as a training run does."""
    model, tokenizer = lively_model(**settings)
    model.save_pretrained(folder)
    EecaProcessor.of(model.config, tokenizer).save_pretrained(folder)
    return folder


def photograph(seed: int, width: int = 30, height: int = 20) -> bytes:
    """PNG bytes of noise."""
    values = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(values).save(data, "PNG")
    return data.getvalue()
