"""Changes of many coroutines written to the ledger together: one commit per turn of the loop.

A commit is flushed to disk, which takes as long for a hundred changes as for one. It is made in the
loop's own thread, a millisecond or two at a time: in another it would fight the loop for Python's
lock and take twenty times as long.
"""

from __future__ import annotations

import asyncio
from typing import Self

from mgld.llm.ledger import Change, Claim, Claimed, Ledger, Release

Waiting = asyncio.Future[Claimed]


class Commits:
    """Group commits to one ledger, for one event loop. An async context manager."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._changes: list[tuple[Change, Waiting | None]] = []
        self._failed: Exception | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.flush()

    async def claim(self, claim: Claim) -> Claimed:
        """The result of a claim, once it is on disk."""
        waiting: Waiting = asyncio.get_running_loop().create_future()
        self._add(claim, waiting)
        return await waiting

    def add(self, change: Change) -> None:
        """Write `change` with the next commit. A failure is raised by the next call."""
        self._add(change, None)

    def flush(self) -> None:
        """Write all that was added."""
        self._write()
        if self._failed is not None:
            raise self._failed

    def _add(self, change: Change, waiting: Waiting | None) -> None:
        if self._failed is not None:
            raise self._failed
        if not self._changes:
            asyncio.get_running_loop().call_soon(self._write)
        self._changes.append((change, waiting))

    def _write(self) -> None:
        while self._changes and self._failed is None:
            some, self._changes = self._changes, []
            try:
                results = self._ledger.apply([change for change, _ in some])
            except Exception as error:
                self._failed = error
                for _, waiting in some:
                    if waiting is not None and not waiting.done():
                        waiting.set_exception(error)
                return
            for (_, waiting), result in zip(some, results, strict=True):
                if waiting is None or result is None:
                    continue
                if not waiting.done():
                    waiting.set_result(result)
                elif result.state == "granted":
                    # Who asked was cancelled meanwhile and sends nothing.
                    self._changes.append((Release(result.attempt, "stopped"), None))
