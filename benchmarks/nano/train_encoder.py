"""Train the `nano` encoder on the taught half of the procedural world.

    python -m benchmarks.nano.train_encoder --out mgld/vision/nano

A small open_clip CLIP learns from captioned pictures, as CLIP does. One term is added: the mean of
the penultimate patch tokens is contrasted with the same captions through a head that is thrown away
afterwards: a language model that later reads those tokens (LLaVA's way) shall find in them what the
name says, and good retrieval alone does not ensure that. Everything is drawn from the seed;
settings and hashes of data and weights are written beside the weights as `training.json`.
`measure_encoder` and `card` add measurements and card.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.nano.bpe import nano_merges
from benchmarks.nano.lessons import (
    PREPROCESS,
    captions,
    curriculum,
    draw,
    lessons_sha256,
    sample_sha256,
)
from mgld.files import sha256_file, write_text_atomically
from mgld.vision.checkpoint import WEIGHTS_FILE, pack_merges, save_checkpoint
from mgld.world.landmark import make_landmark
from mgld.world.lexicon import Half

CONTEXT_LENGTH = 32


def model_config(width: int, layers: int, vocab_size: int) -> dict[str, Any]:
    """open_clip's model configuration; class-token pooling, so that it exports to transformers."""
    return {
        "embed_dim": 128,
        "vision_cfg": {
            "image_size": 64,
            "patch_size": 8,
            "width": width,
            "layers": layers,
            "head_width": 32,
        },
        "text_cfg": {
            "context_length": CONTEXT_LENGTH,
            "vocab_size": vocab_size,
            "width": 128,
            "heads": 4,
            "layers": 2,
        },
    }


def pixels(pictures: np.ndarray) -> Tensor:
    """uint8 [B, 64, 64, 3] -> normalised float32 [B, 3, 64, 64]."""
    mean, std = torch.tensor(PREPROCESS["mean"]), torch.tensor(PREPROCESS["std"])
    x = torch.from_numpy(np.ascontiguousarray(pictures)).float() / 255
    return ((x - mean) / std).permute(0, 3, 1, 2)


class PatchTap:
    """Keeps the penultimate layer's output of a vision tower: [B, 1 + patches, width]."""

    def __init__(self, visual: nn.Module) -> None:
        self.tokens: Tensor | None = None
        transformer: Any = visual.transformer
        transformer.resblocks[-2].register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self.tokens = output

    def patches(self) -> Tensor:
        """Patch tokens without the class token, [B, patches, width]."""
        assert self.tokens is not None
        return self.tokens[:, 1:]


def contrast(images: Tensor, texts: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """Symmetric InfoNCE; equal captions in a batch share the target instead of repelling."""
    logits = scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    target = same / same.sum(-1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def train(args: argparse.Namespace) -> tuple[nn.Module, dict[str, Any], dict[str, Any]]:
    """Returns model, model configuration and the record of the training."""
    from open_clip.model import CLIP
    from open_clip.tokenizer import SimpleTokenizer

    half: Half = args.half
    started = time.perf_counter()
    merges = nano_merges()
    with tempfile.NamedTemporaryFile(suffix=".txt.gz") as file:
        file.write(pack_merges(merges))
        file.flush()
        tokenizer = SimpleTokenizer(file.name, context_length=CONTEXT_LENGTH)

    shown = curriculum(half)
    pictures = draw(shown)
    owner = np.array([s.landmark_id for s in shown])
    texts: dict[int, tuple[list[str], np.ndarray]] = {}
    for landmark_id in sorted(set(owner.tolist())):
        options, weights = zip(*captions(make_landmark(0, landmark_id)), strict=True)
        texts[landmark_id] = (list(options), np.array(weights) / sum(weights))
    every_text = sorted({t for options, _ in texts.values() for t in options})
    text_row = {text: i for i, text in enumerate(every_text)}
    tokens = tokenizer(every_text)
    print(
        f"{len(shown)} views of {len(texts)} landmarks, {len(every_text)} captions, "
        f"{time.perf_counter() - started:.0f} s",
        flush=True,
    )

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(args.seed)
    config = model_config(args.width, args.layers, tokenizer.vocab_size)
    model = CLIP(**{**config, "quick_gelu": False})
    tap = PatchTap(model.visual)
    head = nn.Linear(args.width, config["embed_dim"], bias=False)
    # Embedding rows of syllables that are never shown must stay as they were drawn: no decay.
    decayed = [p for n, p in model.named_parameters() if p.ndim >= 2 and "embedding" not in n]
    kept = [p for n, p in model.named_parameters() if p.ndim < 2 or "embedding" in n]
    groups = [
        {"params": [*decayed, *head.parameters()], "weight_decay": 0.05},
        {"params": kept, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.98))

    def rate(step: int) -> float:
        return min(1.0, (step + 1) / 60) * (0.51 + 0.49 * math.cos(math.pi * step / args.steps))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    order: list[int] = []
    mean_loss = 0.0
    for step in range(args.steps):
        if len(order) < args.batch:
            order = rng.permutation(len(shown)).tolist()
        batch, order = np.array(order[: args.batch]), order[args.batch :]
        chosen = []
        for landmark_id in owner[batch]:
            choices, shares = texts[int(landmark_id)]
            chosen.append(text_row[choices[rng.choice(len(choices), p=shares)]])
        rows = torch.tensor(chosen)
        x = pixels(pictures[batch])
        x = torch.roll(x, (int(rng.integers(-2, 3)), int(rng.integers(-2, 3))), dims=(2, 3))
        same = (rows[:, None] == rows[None, :]).float()
        with torch.autocast("cpu", torch.bfloat16):
            image = model.encode_image(x).float()
            text = model.encode_text(tokens[rows]).float()
            patch = head(tap.patches().mean(1)).float()
        scale = model.logit_scale.exp().clamp(max=100)
        loss = contrast(image, text, scale, same) + args.patch_weight * contrast(
            patch, text, scale, same
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([*model.parameters(), *head.parameters()], 1.0)
        optimizer.step()
        schedule.step()
        mean_loss = 0.97 * mean_loss + 0.03 * loss.item()
        if step % 50 == 49:
            shown_loss = mean_loss / (1 - 0.97 ** (step + 1))
            print(
                f"step {step + 1} loss {shown_loss:.3f} {time.perf_counter() - started:.0f} s",
                flush=True,
            )
    model.eval()
    record = {
        "settings": {k: v for k, v in vars(args).items() if k != "out"},
        "data_sha256": lessons_sha256(shown, pictures, merges),
        "sample_sha256": sample_sha256(shown, merges),
        "views": len(shown),
        "landmarks": len(texts),
        "parameters": sum(p.numel() for p in model.parameters()),
        "minutes": round((time.perf_counter() - started) / 60, 1),
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
    return model, config, record


def arguments() -> argparse.ArgumentParser:
    """The command line; the defaults are what the shipped encoder was trained with."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--half", choices=("west", "east"), default="west")
    parser.add_argument("--steps", type=int, default=1700)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--patch-weight", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main() -> None:
    """Train, save, and record what from."""
    args = arguments().parse_args()
    model, config, record = train(args)
    save_checkpoint(args.out, model, config, PREPROCESS, nano_merges())
    record["weights_sha256"] = sha256_file(args.out / WEIGHTS_FILE)
    write_text_atomically(args.out / "training.json", json.dumps(record, indent=2) + "\n")
    print(
        f"saved in {args.out}; next: python -m benchmarks.nano.measure_encoder {args.out} --write"
    )


if __name__ == "__main__":
    main()
