"""Tokens per second, peak memory and MFU on one GPU, at the paper's shapes with random weights.

    python -m benchmarks.speed.train_gpu --shapes llama-1b llama-8b --out results.json
    python -m benchmarks.speed.train_gpu --shapes tiny            # on any machine: that it runs

CLIP ViT-L/14-336, stage 1 (adapter alone, captions) and stage 3 (everything, all losses), bfloat16,
token counts of the order of the real data's. Forward and backward by themselves, and the whole step
with an optimizer. Full AdamW with float32 copies and states (16 bytes for each trained parameter)
does not fit one GPU at 8B: its whole step is measured with weights and states in bfloat16 alone,
which the result says (`optimizer`) and which is not how one would train. Loading is measured apart:
real JPEGs, decoded by 16 processes as fast as the model takes them.
"""

from __future__ import annotations

import argparse
import datetime
import io
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eeca_ref.config import LLAMA_3_8B, EecaConfig
from eeca_ref.data.images import ImageSettings, load_pixels
from eeca_ref.model import EecaForConditionalGeneration
from eeca_ref.recipe import Part
from eeca_ref.training.flops import FlopCount, Flops, utilisation
from mgld.files import write_text_atomically

LABELS = tuple(f"label {number}" for number in range(100))
# Llama-3.2-1B's shape
LLAMA_1B = LLAMA_3_8B | {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "tie_word_embeddings": True,
}
TINY = {
    "vocab_size": 512,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
TINY_VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "patch_size": 14,
    "image_size": 56,
}
SHAPES: dict[str, dict[str, Any]] = {
    "llama-8b": {"text_config": {"model_type": "llama"} | LLAMA_3_8B},
    "llama-1b": {"text_config": {"model_type": "llama"} | LLAMA_1B},
    "tiny": {
        "text_config": {"model_type": "llama"} | TINY,
        "vision_config": {"model_type": "clip_vision_model"} | TINY_VISION,
        "image_token_id": 512,
        "resampler_heads": 2,
        "resampler_head_dim": 16,
    },
}
FITS_FULL_ADAMW = 4e9  # trained parameters: 16 bytes each and activations within 139 GiB


@dataclass(frozen=True)
class Stage:
    """What is trained on what: text tokens of a sample, and how many of them are supervised."""

    train: tuple[Part, ...]
    settings: dict[str, Any]
    text_tokens: int
    supervised: int
    checkpointing: bool


EVERYTHING: tuple[Part, ...] = (
    "lr_adapter",
    "resampler",
    "language_model",
    "classifier",
    "log_tau",
)
STAGES = {
    # numbers of the order of LLaVA's captions, with BOS and `<image>`
    "stage1": Stage(("lr_adapter",), {"hr": False, "mu_e": 0.0, "mu_h": 0.0}, 24, 22, False),
    # of the order of a conversation of the paper's data; with 576 + 128 visual tokens 875 in all
    "stage3": Stage(EVERYTHING, {"hierarchical_labels": LABELS}, 172, 60, True),
}


def config_of(shape: str, stage: Stage) -> EecaConfig:
    """The model of a shape in a stage."""
    return EecaConfig(**SHAPES[shape], **stage.settings)


def batch_of(
    config: EecaConfig, stage: Stage, size: int, device: torch.device
) -> dict[str, Tensor]:
    """Random samples of a stage, each with an image and four entities."""
    generator = torch.Generator().manual_seed(0)
    vocabulary = config.text_config.vocab_size
    ids = torch.randint(0, vocabulary, (size, stage.text_tokens), generator=generator)
    ids[:, 1] = config.image_token_id
    labels = torch.full_like(ids, -100)
    labels[:, -stage.supervised :] = ids[:, -stage.supervised :]
    pixels = torch.randn(size, 3, config.image_size, config.image_size, generator=generator)
    entities = torch.randint(0, vocabulary, (size, 4, 4), generator=generator)
    batch = {
        "pixel_values_BCHW": pixels,
        "has_image_B": torch.ones(size, dtype=torch.bool),
        "input_ids_BL": ids,
        "attention_mask_BL": torch.ones_like(ids, dtype=torch.bool),
        "labels_BL": labels,
        "entity_ids_BET": entities,
        "entity_token_mask_BET": torch.ones_like(entities, dtype=torch.bool),
        "entity_mask_BE": torch.ones(size, 4, dtype=torch.bool),
        "class_B": torch.arange(size) % len(LABELS),
    }
    return {name: each.to(device) for name, each in batch.items()}


def build(config: EecaConfig, stage: Stage, device: torch.device) -> EecaForConditionalGeneration:
    """Random weights in bfloat16, made where they are used: 8B do not pass through the host."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with device:
            model = EecaForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(default)
    model.set_trainable(*stage.train)
    model.train()
    if stage.checkpointing:
        model.language_model.config.use_cache = False
        model.language_model.gradient_checkpointing_enable({"use_reentrant": False})
    return model


def measure(shape: str, stage: Stage, device: torch.device, given: Any) -> dict[str, Any]:
    """One shape and stage."""
    config = config_of(shape, stage)
    model = build(config, stage, device)
    if given.compile:
        for layer in model.language_model.get_decoder().layers:
            layer.compile()
    batch = batch_of(config, stage, given.batch, device)
    trained = [p for p in model.parameters() if p.requires_grad]
    number = sum(p.numel() for p in trained)
    full = number < FITS_FULL_ADAMW
    # full: bfloat16 weights with float32 copies and states, as DeepSpeed trains
    masters = [p.detach().float().requires_grad_() for p in trained] if full else trained
    optimizer = torch.optim.AdamW(masters, lr=1e-6, fused=device.type == "cuda")

    def passes() -> None:
        for parameter in trained:
            parameter.grad = None
        model(**batch).loss.backward()

    def step() -> None:
        passes()
        if full:
            for master, parameter in zip(masters, trained, strict=True):
                master.grad = None if parameter.grad is None else parameter.grad.float()
        optimizer.step()
        if full:
            with torch.no_grad():
                for master, parameter in zip(masters, trained, strict=True):
                    parameter.copy_(master)
                    master.grad = None

    host_batch = {name: each.cpu() for name, each in batch.items()}
    flops = FlopCount(config, stage.train, checkpointing=stage.checkpointing).of_inputs(host_batch)
    tokens = given.batch * (stage.text_tokens - 1 + config.visual_tokens)
    return {
        "trained_parameters": number,
        "batch": given.batch,
        "tokens_per_sample": tokens // given.batch,
        "activation_checkpointing": stage.checkpointing,
        "optimizer": "AdamW, float32 copies and states"
        if full
        else "AdamW, weights and states in bfloat16, no float32 copies: a full one does not fit",
        "forward_backward": timed(passes, tokens, flops, device, given.repeats),
        "whole_step": timed(step, tokens, flops, device, given.repeats),
    }


def timed(
    run: Callable[[], None], tokens: int, flops: Flops, device: torch.device, repeats: int
) -> dict[str, Any]:
    """Median seconds, tokens per second, share of the device's peak, peak memory."""
    cuda = device.type == "cuda"
    for _ in range(2):
        run()
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    seconds = []
    for _ in range(repeats):
        _wait(cuda)
        began = time.perf_counter()
        run()
        _wait(cuda)
        seconds.append(time.perf_counter() - began)
    median = float(np.median(seconds))
    names = [torch.cuda.get_device_name(device)] if cuda else ["CPU"]
    return {
        "seconds": median,
        "range": [min(seconds), max(seconds)],
        "tokens_per_second": tokens / median,
        "mfu": utilisation(flops.model, median, names),
        "hfu": utilisation(flops.hardware, median, names),
        "peak_memory_bytes": torch.cuda.max_memory_allocated() if cuda else None,
    }


class Jpegs(torch.utils.data.Dataset[Tensor]):
    """Photographs of 800 x 600 pixels, decoded and normalised as in training."""

    def __init__(self, number: int, size: int) -> None:
        from PIL import Image

        noise = np.random.default_rng(0).integers(0, 256, (75, 100, 3), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(noise).resize((800, 600)).save(out, "JPEG", quality=85)
        self.number, self.data = number, out.getvalue()
        self.settings = ImageSettings(size=size)

    def __len__(self) -> int:
        """How many."""
        return self.number

    def __getitem__(self, at: int) -> Tensor:
        """float32 [3, size, size]."""
        return load_pixels(self.data, self.settings)


def loading(config: EecaConfig, seconds: float, batch: int, workers: int) -> dict[str, Any]:
    """Share of the time spent waiting for images, if a step takes so many seconds."""
    steps = 8
    loader = torch.utils.data.DataLoader(
        Jpegs(batch * (steps + 4), config.image_size), batch, num_workers=workers
    )
    waited, batches = 0.0, iter(loader)
    for _ in range(4):  # until the workers run
        next(batches)
    for _ in range(steps):
        began = time.perf_counter()
        next(batches)
        waited += time.perf_counter() - began
        time.sleep(seconds)  # what the GPU computes meanwhile
    return {"workers": workers, "wait_share": waited / (waited + steps * seconds)}


def _wait(cuda: bool) -> None:
    if cuda:
        torch.cuda.synchronize()


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """The command line; the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=["llama-1b"])
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    cuda = torch.cuda.is_available()
    if not cuda and set(given.shapes) != {"tiny"}:
        parser.error("there is no GPU: only --shapes tiny runs here")
    device = torch.device("cuda" if cuda else "cpu")
    measured: dict[str, Any] = {}
    for shape in given.shapes:
        for stage in given.stages:
            figures = measure(shape, STAGES[stage], device, given)
            each = figures["whole_step"]["seconds"]
            config = config_of(shape, STAGES[stage])
            figures["loading"] = loading(config, each, given.batch, given.workers)
            measured[f"{shape} {stage}"] = figures
            if cuda:
                torch.cuda.empty_cache()
    result = {
        "what": "training steps of random samples at fixed shapes",
        "date": datetime.date.today().isoformat(),
        "device": torch.cuda.get_device_name(device) if cuda else "CPU",
        "cores": len(os.sched_getaffinity(0)),
        "versions": {"python": platform.python_version()}
        | {each: version(each) for each in ("torch", "transformers", "mgld")},
        "measured": measured,
    }
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        write_text_atomically(given.out, text + "\n")
    return result


if __name__ == "__main__":
    main()
