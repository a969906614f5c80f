"""The ledger's account of batches: what was meant to be sent, what was sent, what has ended.

Each step towards a batch is on disk before the next is taken, so that a process that is killed
between any two of them leaves something that can be put right:

intended    its requests are claimed; there is nothing at the endpoint but perhaps a file
creating    its creation was asked for; whether the endpoint has it is not known
submitted   the endpoint has it, `batch_id` is its name there
ended       all its requests have a reply or are free to be sent again
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mgld.llm.ledger import Change, Ledger, Release

State = Literal["intended", "creating", "submitted", "ended"]
AGAIN = "again"
"""How the outcome of an attempt begins that got no reply through no fault of its request."""
CHANGES_PER_COMMIT = 2000


@dataclass(frozen=True)
class BatchRow:
    """A row of table `batches`, its fields in the order of the table's columns."""

    tag: str
    base_url: str
    model: str
    api: str
    state: State
    file_id: str | None
    batch_id: str | None
    status: str
    requests: int
    bytes: int
    created: float
    asked: float | None = None
    asked_times: int = 0
    queued: int = 0
    ended: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Attempt:
    """A request in a batch. `open`: its outcome is not known yet."""

    id: int
    key: str
    open: bool


class BatchBook:
    """Table `batches` of a ledger and the attempts that belong to it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    @property
    def upload_path(self) -> Path:
        """Where a batch's file is written: one name, so that what a killed process left goes."""
        return self.ledger.path.with_name(f"{self.ledger.path.name}-batch-upload.jsonl")

    @property
    def download_path(self) -> Path:
        """The same for results."""
        return self.ledger.path.with_name(f"{self.ledger.path.name}-batch-download.jsonl")

    def batches(self, *states: State) -> list[BatchRow]:
        """Batches in one of `states`, or all of them, oldest first."""
        where = f" WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        rows = self.ledger.rows(f"SELECT * FROM batches{where} ORDER BY created, tag", states)
        return [BatchRow(*row) for row in rows]

    def add(self, row: BatchRow) -> None:
        """Write down a batch that is meant to be made."""
        values = [getattr(row, name) for name in BatchRow.__dataclass_fields__]
        with self.ledger.transaction() as db:
            db.execute(f"INSERT INTO batches VALUES ({', '.join('?' * len(values))})", values)

    def change(self, tag: str, **values: object) -> None:
        """Set columns of one batch."""
        names = ", ".join(f"{name} = ?" for name in values)
        with self.ledger.transaction() as db:
            db.execute(f"UPDATE batches SET {names} WHERE tag = ?", [*values.values(), tag])

    def attempts(self, tag: str) -> list[Attempt]:
        """Every request that was claimed for a batch, whatever became of it."""
        query = "SELECT id, key, ended IS NULL FROM attempts WHERE batch = ? ORDER BY id"
        return [Attempt(id, key, bool(open)) for id, key, open in self.ledger.rows(query, (tag,))]

    def apply(self, changes: Sequence[Change]) -> None:
        """Make changes, some thousand a commit: a process killed halfway has done the first."""
        for first in range(0, len(changes), CHANGES_PER_COMMIT):
            self.ledger.apply(changes[first : first + CHANGES_PER_COMMIT])

    def end(self, tag: str, note: str, *, outcome: str = "", paid: bool = False) -> int:
        """End a batch; what of it is still open is released with `outcome`. How many these were."""
        left = [each for each in self.attempts(tag) if each.open]
        self.apply([Release(each.id, outcome or note, paid) for each in left])
        self.change(tag, state="ended", ended=time.time(), note=note)
        return len(left)

    def tries(self) -> dict[str, int]:
        """How often each request went through a batch in vain since it last had a reply."""
        query = f"""
            WITH answered AS (
              SELECT key, max(id) AS last FROM attempts WHERE outcome = 'reply' GROUP BY key
            )
            SELECT a.key, count(*) FROM attempts a LEFT JOIN answered USING (key)
            WHERE a.outcome LIKE '{AGAIN}%' AND a.id > coalesce(answered.last, 0)
            GROUP BY a.key
        """
        return dict(self.ledger.rows(query))


@contextmanager
def only_one(ledger: Ledger) -> Iterator[None]:
    """Keep others from submitting and collecting with this ledger meanwhile.

    ValueError where another process does. The lock goes with its process.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(ledger.path.with_name(f"{ledger.path.name}-batch.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"another process submits or collects batches with {ledger.path}; wait for it, or stop "
            "it, and try again"
        ) from None
    try:
        yield
    finally:
        lock.release()
