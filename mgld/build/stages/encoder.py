"""The encoder inside a worker: loaded once, with a fixed number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mgld.build.config import BuildConfig
from mgld.build.manifest import BuildFacts
from mgld.build.shards import ShardTask

if TYPE_CHECKING:
    from mgld.vision import Encoder


def encoder_settings(config: BuildConfig, facts: BuildFacts) -> dict[str, Any]:
    """What of an encoder can change a vector: its weights by hash, not by name or place."""
    return {
        "encoder": facts.encoder_fingerprint,
        "dtype": facts.encoder_dtype,
        "device": config.device.partition(":")[0],
        "threads": config.threads,
    }


@contextmanager
def worker_encoder(task: ShardTask) -> Iterator[Encoder]:
    """The build's encoder, with torch held to `threads` threads meanwhile.

    ValueError if it is no longer the encoder that the build was planned with.
    """
    import torch

    config, facts = task.config, task.facts
    encoder = _load(config.encoder, config.device, config.dtype, facts.encoder_fingerprint)
    before = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        yield encoder
    finally:
        torch.set_num_threads(before)


@lru_cache(maxsize=1)
def _load(spec: str, device: str, dtype: str, fingerprint: str) -> Encoder:
    from mgld.vision import load_encoder

    encoder = load_encoder(spec, device=device, dtype=dtype)
    if encoder.fingerprint != fingerprint:
        raise ValueError(f"encoder {spec} changed while the build was running; run it again")
    return encoder
