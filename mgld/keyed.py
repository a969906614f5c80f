"""Keyed randomness: every draw depends on (seed, purpose, key) alone, never on order or workers.

Definition: docs/definitions.md, "Randomness". Used wherever something is drawn: the image of a
landmark, the question, the split, the procedural world.
"""

from __future__ import annotations

import hashlib

import numpy as np


def digest(seed: int, purpose: str, key: int | str) -> bytes:
    """32 bytes that depend on all three arguments and on nothing else."""
    return hashlib.sha256(f"{seed}\x1f{purpose}\x1f{key}".encode()).digest()


def order_key(seed: int, purpose: str, key: int | str) -> int:
    """A uniform 64-bit integer; sorting by it is a keyed shuffle."""
    return int.from_bytes(digest(seed, purpose, key)[:8], "big")


def generator(seed: int, purpose: str, key: int | str) -> np.random.Generator:
    """A counter-based (Philox) generator keyed by the arguments."""
    return np.random.Generator(
        np.random.Philox(key=int.from_bytes(digest(seed, purpose, key)[:16], "big"))
    )
