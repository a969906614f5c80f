"""What a model's id says: its family, without the date of a snapshot."""

from __future__ import annotations

import re

# Nothing else that follows a name is a date: gpt-4o-mini is not gpt-4o.
_SNAPSHOT = re.compile(r"-20\d\d-[01]\d-[0-3]\d$")


def undated(model: str) -> str:
    """`gpt-4.1-2025-04-14` -> `gpt-4.1`; an id without a date as it is."""
    return _SNAPSHOT.sub("", model)


def base_model(model: str) -> str:
    """The undated model that an id runs: of a fine-tune its base, of a routed id its own name.

    `ft:gpt-4o-mini-2024-07-18:org::id` -> `gpt-4o-mini`; `openai/gpt-4.1` -> `gpt-4.1`. Says how
    the model counts, not what it costs: fine-tunes and routers have prices of their own.
    """
    if model.startswith("ft:"):
        model = model.split(":")[1]
    return undated(model.rsplit("/", 1)[-1])
