"""Changes of many coroutines written to the ledger together, each commit in one thread.

A commit is flushed to disk, which takes as long for a hundred changes as for one: while one is
being written, the next gathers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from mgld.llm.ledger import Change, Claim, Claimed, Ledger, Release


class Commits:
    """Group commits to one ledger, for one event loop. An async context manager."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mgld-ledger")
        self._waiting: list[tuple[Change, asyncio.Future[Claimed | None] | None]] = []
        self._writing: asyncio.Task[None] | None = None
        self._failed: BaseException | None = None

    async def __aenter__(self) -> Commits:
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.flush()
        finally:
            self._thread.shutdown()

    async def claim(self, claim: Claim) -> Claimed:
        """The result of a claim, once it is on disk."""
        self._raise()
        future: asyncio.Future[Claimed | None] = asyncio.get_running_loop().create_future()
        self._add(claim, future)
        claimed = await future
        assert claimed is not None
        return claimed

    def add(self, change: Change) -> None:
        """Write `change` with the next commit. A failure is raised by the next call."""
        self._raise()
        self._add(change, None)

    async def flush(self) -> None:
        """Return once all that was added is on disk."""
        while self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])
        self._raise()

    def _raise(self) -> None:
        if self._failed is not None:
            raise self._failed

    def _add(self, change: Change, future: asyncio.Future[Claimed | None] | None) -> None:
        self._waiting.append((change, future))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            some, self._waiting = self._waiting, []
            changes: Sequence[Change] = [change for change, _ in some]
            try:
                results = await loop.run_in_executor(self._thread, self._ledger.apply, changes)
            except BaseException as error:
                self._failed = error
                for _, future in some + self._waiting:
                    if future is not None and not future.done():
                        future.set_exception(error)
                self._waiting = []
                return
            for (_, future), result in zip(some, results, strict=True):
                if future is not None and not future.done():
                    future.set_result(result)
                elif result is not None and result.state == "granted":
                    # Who asked was cancelled meanwhile and sends nothing.
                    self._waiting.append((Release(result.attempt, "stopped"), None))
