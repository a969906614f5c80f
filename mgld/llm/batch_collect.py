"""What became of batches: their state, and the replies of those that have ended.

Output and error files come in any order and may lack lines; every request of the batch gets either
a reply or the right to be sent again. Collecting can stop anywhere and be done again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import Field

from mgld.llm.batch_book import BatchBook, BatchRow
from mgld.llm.batch_endpoint import ENDED, BatchEndpoint
from mgld.llm.batch_file import read_results
from mgld.llm.batch_join import BatchJoin
from mgld.llm.client import redact
from mgld.llm.limits import backoff
from mgld.llm.settings import LlmSettings
from mgld.schema import Record

if TYPE_CHECKING:
    from openai.types import Batch

DOWNLOADS = 2
"""Files that lack something are fetched again, in case it was the transfer."""
GONE_SECONDS = 172_800.0
"""A batch lives a day; one that the endpoint does not know after two is given up."""
_QUEUE_FULL = "token_limit_exceeded"


class BatchState(Record):
    """A batch. `state`: ours (see `mgld.llm.batch_book`); `status`: the endpoint's.

    requests = completed + failed + what is still to run; age in seconds.
    """

    batch_id: str | None
    model: str
    state: str
    status: str
    requests: int
    completed: int
    failed: int
    age_seconds: float
    note: str


class Collected(Record):
    """What a collect did. Counts of batches: `ended` newly, `running` still.

    Counts of requests: `replies` stored, of them `errors` without a usable HTTP reply; `released`
    to be sent again, of them `missing` from the files. Counts of lines that belong to no request of
    their batch (`unknown`), repeat one (`duplicate`) or cannot be read (`broken`). `refused`: why
    the endpoint refused batches, or all that it was asked. `notes`: what else a person should know.
    """

    ended: int = 0
    running: int = 0
    replies: int = 0
    errors: int = 0
    released: int = 0
    missing: int = 0
    unknown: int = 0
    duplicate: int = 0
    broken: int = 0
    usd: float = 0.0
    refused: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)


def look(book: BatchBook, endpoint: BatchEndpoint) -> list[BatchState]:
    """The state of every batch, oldest first; those that have not ended are asked about."""
    states = []
    for row in book.batches():
        if row.batch_id is None and row.state == "ended":
            continue  # nothing was ever at the endpoint
        completed = failed = 0
        status, note = row.status, row.note
        if row.state == "submitted" and row.batch_id and row.base_url == endpoint.base_url:
            batch = endpoint.retrieve(row.batch_id)
            if batch is None:
                note = "the endpoint does not know it: another key or project?"
            else:
                status = batch.status
                counts = batch.request_counts
                completed, failed = (counts.completed, counts.failed) if counts else (0, 0)
                if status != row.status:
                    book.change(row.tag, status=status)
        elif row.state == "submitted":
            note = f"at another endpoint, {row.base_url}"
        states.append(
            BatchState(
                batch_id=row.batch_id,
                model=row.model,
                state=row.state,
                status=status,
                requests=row.requests,
                completed=completed,
                failed=failed,
                age_seconds=max(0.0, (row.ended or time.time()) - row.created),
                note=note,
            )
        )
    return states


class Collector:
    """Collects with one ledger from one endpoint; the caller holds the lock (`only_one`)."""

    def __init__(
        self,
        book: BatchBook,
        endpoint: BatchEndpoint,
        settings: LlmSettings,
        on_reply: Callable[[str], None] = lambda key: None,
    ) -> None:
        self._book, self._endpoint, self._settings = book, endpoint, settings
        self._on_reply = on_reply
        self._counts: Counter[str] = Counter()
        self._usd = 0.0
        self._refused: list[str] = []
        self._notes: list[str] = []

    def collect(self) -> Collected:
        """Read every batch that has ended and was not read before."""
        known: list[tuple[BatchRow, Batch | None]] = []
        for row in self._book.batches("submitted"):
            if row.base_url != self._endpoint.base_url:
                self._notes.append(f"{row.batch_id} is at another endpoint, {row.base_url}")
                continue
            assert row.batch_id is not None
            batch = self._endpoint.retrieve(row.batch_id)
            if batch is not None and batch.status != row.status:
                self._book.change(row.tag, status=batch.status)
            known.append((row, batch))
        # All states are known before the first is read: a refused one asks what was running.
        for row, batch in known:
            if batch is None:
                self._gone(row)
            elif batch.status in ENDED:
                self._end(row, batch)
                self._counts["ended"] += 1
            else:
                self._counts["running"] += 1
        return Collected(**self._counts, usd=self._usd, refused=self._refused, notes=self._notes)

    def _gone(self, row: BatchRow) -> None:
        """A batch that the endpoint does not know: a wrong key, or it is lost."""
        if time.time() - row.created < GONE_SECONDS:
            self._notes.append(
                f"{self._endpoint.base_url} does not know {row.batch_id}: is the key of another "
                "project? Its requests wait until it is found or two days old"
            )
            return
        reason = "the endpoint does not know the batch any more"
        self._counts["released"] += self._book.end(row.tag, reason, paid=True)
        self._notes.append(f"{row.batch_id}: {reason}; its requests are sent again")

    def _end(self, row: BatchRow, batch: Batch) -> None:
        if batch.status == "failed" and not (batch.output_file_id or batch.error_file_id):
            self._refuse(row, batch)
        else:
            self._read(row, batch)
        if row.file_id is not None:
            self._endpoint.delete_file(row.file_id)

    def _refuse(self, row: BatchRow, batch: Batch) -> None:
        """A batch that was not begun: the endpoint's queue was full, or it found it wrong."""
        errors = (batch.errors.data if batch.errors else None) or []
        why = "; ".join(str(each.message or each.code) for each in errors[:3]) or "no reason given"
        why = redact(why, self._settings)
        if any(each.code == _QUEUE_FULL for each in errors):
            others = [b for b in self._book.batches("submitted") if b.status not in ENDED]
            total = row.requests + sum(b.requests for b in others if b.model == row.model)
            if total > 1:
                self._book.change(row.tag, queued=total)
                self._counts["released"] += self._book.end(row.tag, f"queue full: {why}")
                self._notes.append(f"{batch.id}: {why} Its requests are submitted again later")
                return
        self._counts["released"] += self._book.end(row.tag, f"refused: {why}")
        self._refused.append(f"{batch.id}: {why}")

    def _read(self, row: BatchRow, batch: Batch) -> None:
        """Store the replies of a batch, and release what has none."""
        reading = BatchJoin(self._book, row, self._settings, self._on_reply)
        for again in range(DOWNLOADS):
            if again:
                time.sleep(backoff(again))
                batch = self._endpoint.retrieve(batch.id) or batch
            reading.begin()
            files = [file for file in (batch.output_file_id, batch.error_file_id) if file]
            absent = [file for file in files if not self._read_file(file, reading)]
            if not (absent or reading.lacks):
                break
        if absent:
            self._notes.append(f"{batch.id}: the endpoint has its results no more")
        reading.finish(paid=batch.output_file_id in absent)
        self._book.end(row.tag, batch.status)
        if reading.refused:
            self._refused.append(f"requests of {batch.id}: {reading.refused}")
        self._counts += reading.counts
        self._usd += reading.usd

    def _read_file(self, file_id: str, reading: BatchJoin) -> bool:
        path = self._book.download_path
        try:
            if not self._endpoint.download(file_id, path):
                return False
            for result in read_results(path):
                reading.take(result)
        finally:
            path.unlink(missing_ok=True)
        return True
