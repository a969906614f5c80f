"""Why a run of requests stopped before its end. Nothing is lost: it can be resumed."""

from __future__ import annotations


class GatherStoppedError(RuntimeError):
    """A run stopped; its message says why, what is done, and how to go on."""


class BudgetError(GatherStoppedError):
    """The next request could pass `max_usd`."""


class DeadlineError(GatherStoppedError):
    """`total_seconds` are over."""


class EndpointError(GatherStoppedError):
    """The endpoint refuses everything (wrong key, no such model, no quota) or is away."""
