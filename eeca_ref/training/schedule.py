"""The learning rate by step: linear warm-up, then a cosine to 0 (LLaVA's schedule)."""

from __future__ import annotations

import math


def warmup_steps(total: int, ratio: float) -> int:
    """Steps of the warm-up: a share of all, rounded up."""
    return math.ceil(total * ratio)


def lr_factor(step: int, *, total: int, warmup: int) -> float:
    """What the learning rate of step `step` (from 0) of `total` is multiplied by, in (0, 1].

    The first step of the warm-up has 1/`warmup` (transformers' schedule begins with 0, a step that
    learns nothing), the last has 1; what follows is half a cosine that would be 0 at `total`.
    """
    if not 0 <= step < total:
        raise ValueError(f"step {step} of {total}")
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))
