"""The checkpoints that a run begins from, for its manifest: names, revisions, hashes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from eeca_ref.assembling import part_folder
from eeca_ref.recipe import Recipe
from eeca_ref.training.manifest import ModelEntry
from mgld.files import sha256_file

WEIGHTS = ("*.safetensors", "*.bin")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def model_entries(recipe: Recipe) -> dict[str, ModelEntry]:
    """What the recipe's `start`, or `vision` and `language_model`, are; every weight is hashed."""
    entries = {}
    for part in ("start", "vision", "language_model"):
        name = getattr(recipe.model, part)
        if name is None:
            continue
        folder = part_folder(recipe, part)
        # a folder of the Hub's cache is named by the commit
        revision = folder.name if folder.parent.name == "snapshots" else None
        entries[part] = ModelEntry(name=name, revision=revision, fingerprint=fingerprint(folder))
    return entries


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and hashes of a checkpoint's files of weights."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in WEIGHTS for path in folder.glob(pattern)):
        target = path.resolve().name  # in the Hub's cache, the file's hash
        content = target if _SHA256.fullmatch(target) else sha256_file(path)
        digest.update(f"{path.name} {content}\n".encode())
    return digest.hexdigest()
