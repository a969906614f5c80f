"""Encoders to test, and a machine without a network."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from vision_tiny import WORDS, learn_merges, write_tiny


@pytest.fixture(scope="session")
def merges() -> list[str]:
    return learn_merges(WORDS, 40)


@pytest.fixture(scope="session")
def small_bpe(tmp_path_factory: pytest.TempPathFactory, merges: list[str]) -> Path:
    """A folder with its own 40 merges, as `nano` has."""
    return write_tiny(tmp_path_factory.mktemp("encoders") / "small-bpe", merges=merges)


@pytest.fixture(scope="session")
def clip_bpe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with CLIP's own tokenizer and QuickGELU, as OpenAI's models have."""
    return write_tiny(tmp_path_factory.mktemp("encoders") / "clip-bpe", quick_gelu=True)


@pytest.fixture
def photos() -> list[Image.Image]:
    """Seven RGB images of different shapes."""
    shapes = [(40, 60), (60, 40), (32, 32), (100, 33), (50, 50), (64, 96), (90, 45)]
    return [
        Image.fromarray(
            np.random.default_rng(i).integers(0, 256, (height, width, 3), dtype=np.uint8)
        )
        for i, (width, height) in enumerate(shapes)
    ]


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every attempt to leave this machine fails, and is noted here."""
    attempts: list[Any] = []
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def only_loopback(host: Any) -> None:
        if host not in ("127.0.0.1", "localhost"):
            attempts.append(host)
            raise OSError("the tests of encoders have no network")

    def checked_connect(self: socket.socket, address: Any) -> None:
        only_loopback(address[0])
        connect(self, address)

    def checked_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        only_loopback(host)
        return getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", checked_connect)
    monkeypatch.setattr(socket, "getaddrinfo", checked_getaddrinfo)
    return attempts
