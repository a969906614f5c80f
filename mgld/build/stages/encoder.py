"""The encoder inside a worker: loaded once, with a fixed number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mgld.build.config import BuildConfig
from mgld.build.facts import forget_encoder
from mgld.build.manifest import BuildFacts
from mgld.build.shards import ShardTask
from mgld.build.stages.threads import torch_threads

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
    config = task.config
    encoder = loaded_encoder(config)
    if encoder.fingerprint != task.facts.encoder_fingerprint:
        forget_encoder(task.root)
        raise ValueError(f"encoder {config.encoder} changed while the build ran; run it again")
    with torch_threads(config.threads):
        yield encoder


def loaded_encoder(config: BuildConfig) -> Encoder:
    """The build's encoder; this process keeps it for its shards."""
    return _load(config.encoder, config.device, config.dtype)


def drop_encoder() -> None:
    """Have this process load the encoder again: it may be another one on disk by now."""
    _load.cache_clear()


@lru_cache(maxsize=1)
def _load(spec: str, device: str, dtype: str) -> Encoder:
    from mgld.vision import load_encoder

    _require_device(device)
    return load_encoder(spec, device=device, dtype=dtype)


def _require_device(device: str) -> None:
    """ValueError unless torch knows the device and, if it is a CUDA one, it is here."""
    import torch

    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"no device {device!r}; it is cpu, cuda or cuda:1") from error
    if wanted.type == "cuda":
        here = torch.cuda.device_count()
        if here == 0:
            raise ValueError("no CUDA device here; use --device cpu")
        if (wanted.index or 0) >= here:
            raise ValueError(f"no {device} here; the last CUDA device is cuda:{here - 1}")
