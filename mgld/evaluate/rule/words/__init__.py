"""The rule judge's word lists, as data, and the hash of them."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

FILES = ("claims.yaml", "kinds.yaml", "places.yaml")


@cache
def load_words(name: str) -> dict[str, Any]:
    """One of FILES as parsed."""
    loaded: dict[str, Any] = yaml.safe_load(_read(name))
    return loaded


@cache
def word_set(key: str) -> frozenset[str]:
    """A list of claims.yaml."""
    return frozenset(load_words("claims.yaml")[key].split())


@cache
def words_hash() -> str:
    """SHA-256 over all lists, hex."""
    digest = hashlib.sha256()
    for name in FILES:
        digest.update(hashlib.sha256(_read(name)).digest())
    return digest.hexdigest()


def _read(name: str) -> bytes:
    return (files(__package__) / name).read_bytes()
