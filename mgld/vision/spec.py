"""What an encoder is called where others read it."""

from __future__ import annotations

import re

_SEPARATOR = re.compile(r"[/\\]")


def public_encoder(spec: str) -> str:
    """An encoder's spec as it is published: without the folder in which its files lay.

    `NAME:FILE` becomes `NAME:` and the file's name, a folder its last name; `nano` and
    `NAME:PRETRAINED` stay as they are. The fingerprint that is published beside it says exactly
    which weights it was. Decided by the text alone, so that it is the same on every machine.
    """
    model, colon, weights = spec.partition(":")
    if colon and not _SEPARATOR.search(model):
        return f"{model}:{_last_name(weights)}"
    return _last_name(spec)


def _last_name(path: str) -> str:
    """The last part of a path of either kind of system that names something."""
    parts = [part for part in _SEPARATOR.split(path) if part not in ("", ".", "..")]
    return parts[-1] if parts else "unnamed"
