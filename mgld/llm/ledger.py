"""The ledger: every request that was meant to be sent, and every reply that came, in one file.

It is why nothing is paid twice. An attempt is written before its request is sent and ended when its
reply is stored; as long as one is open, no other process sends the same request. A process that
was killed leaves open attempts: they are ended as `lost`, stay charged at their upper bound since
the endpoint may have answered, and are sent again. SQLite in WAL mode, every commit flushed to
disk; many small changes share one commit (`apply`). Not for network file systems.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from mgld.llm.request import Request
from mgld.schema import Record

APPLICATION_ID = 0x4D474C44  # "MGLD"
FORMAT = 1
NANO = 1_000_000_000
BUSY_SECONDS = 60.0
_KEYS_PER_QUERY = 500  # below SQLite's limit on variables

Via = Literal["online", "batch"]


class StoredReply(NamedTuple):
    """A reply as it came. `http_status` 0: none came, `raw` says why. Cost in US dollars."""

    key: str
    via: Via
    api: str
    http_status: int
    raw: bytes
    model: str = ""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    at: float = 0.0


class Money(Record):
    """US dollars: paid, in flight at most, and perhaps paid by attempts that have no reply."""

    spent: float
    reserved: float
    lost: float

    @property
    def charged(self) -> float:
        """What counts against a budget: all three."""
        return self.spent + self.reserved + self.lost


@dataclass(frozen=True)
class Claim:
    """Ask to send `request` now. `usd`: what it may cost at most; `max_usd`: the budget."""

    request: Request
    usd: float = 0.0
    max_usd: float | None = None
    batch: str | None = None


@dataclass(frozen=True)
class Settle:
    """The reply of an attempt is here. `lost`: it says that none came, but one may be charged.

    untold: it does not say how many tokens it took, and is charged at what was reserved for it.
    """

    attempt: int
    reply: StoredReply
    lost: bool = False
    untold: bool = False


@dataclass(frozen=True)
class Release:
    """An attempt ended without a reply. `paid`: it may have been answered, and so be charged."""

    attempt: int
    outcome: str
    paid: bool = False


Change = Claim | Settle | Release


class Claimed(NamedTuple):
    """What became of a claim.

    granted: send it, `attempt` is its number. answered: its reply is in the ledger. busy: another
    process has it. batched: a batch has it. over_budget: it could cost more than is left.
    """

    state: Literal["granted", "answered", "busy", "batched", "over_budget"]
    attempt: int = 0


class Ledger:
    """An open ledger file; a context manager. Safe to use from several threads and processes."""

    def __init__(self, path: str | Path, *, create: bool = True) -> None:
        """Open `path`, or make it.

        FileNotFoundError without `create`; ValueError: not a ledger; OSError: it cannot be opened,
        or not be written.
        """
        self.path = Path(path)
        if not create and not self.path.is_file():
            raise FileNotFoundError(f"there is no ledger {self.path}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._run: int | None = None
        self._run_lock: _RunLock | None = None
        with self._explained("opened"):
            self._db = sqlite3.connect(
                self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            with self._explained("opened"):
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        try:
            (application,) = self._db.execute("PRAGMA application_id").fetchone()
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # a ledger, for all that is known, but not to be had
            raise ValueError(f"{self.path} is not a ledger: {error}") from error
        if tables and application != APPLICATION_ID:
            raise ValueError(f"{self.path} is a database of something else; give another --ledger")
        self._db.execute("PRAGMA journal_mode = WAL")
        # A commit that a power cut undoes would be a request that is paid twice.
        self._db.execute("PRAGMA synchronous = FULL")
        with self.transaction():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._create()
            elif version != FORMAT:
                raise ValueError(f"{self.path} has format {version}; this mgld reads {FORMAT}")

    def _create(self) -> None:
        script = (files("mgld.llm") / "ledger_schema.sql").read_text(encoding="utf-8")
        for statement in script.split(";\n"):
            # One by one: executescript would commit the transaction that keeps others out.
            self._db.execute(statement)
        self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._db.execute(f"PRAGMA user_version = {FORMAT}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; attempts that are still open are ended as lost."""
        with self._lock:
            if self._run is not None:
                self._bury(self._run)
                self._run = None
            if self._run_lock is not None:
                self._run_lock.release()
                self._run_lock = None
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One commit, or none of it. OSError where the file cannot be written (a full disk)."""
        with self._lock, self._explained("written"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                with suppress(sqlite3.OperationalError):  # a full disk has ended it already
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a SELECT, as of the last commit. OSError: the file cannot be read."""
        with self._lock, self._explained("read"):
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        """Make an OSError of what SQLite says about the file: damaged, read-only, a full disk."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if type(error) not in (sqlite3.DatabaseError, sqlite3.OperationalError):
                raise  # a mistake of ours
            raise OSError(f"the ledger {self.path} cannot be {done}: {error}") from error

    # Sending

    def apply(self, changes: Sequence[Change]) -> list[Claimed | None]:
        """Make all changes in one commit; for each claim its result, None for the others."""
        run = self._start_run() if any(isinstance(c, Claim) and not c.batch for c in changes) else 0
        with self.transaction():
            money = _Wallet(*self._db.execute("SELECT spent, reserved, lost FROM money").fetchone())
            results: list[Claimed | None] = []
            for change in changes:
                if isinstance(change, Claim):
                    results.append(self._claim(change, run, money))
                    continue
                results.append(None)
                if isinstance(change, Settle):
                    self._settle(change, money)
                else:
                    self._release(change, money)
            self._db.execute(
                "UPDATE money SET spent = ?, reserved = ?, lost = ?",
                (money.spent, money.reserved, money.lost),
            )
        return results

    def _claim(self, claim: Claim, run: int, money: _Wallet) -> Claimed:
        request = claim.request
        found = self._db.execute(
            "SELECT 1 FROM replies WHERE key = ? AND current = 1", (request.key,)
        ).fetchone()
        if found:
            return Claimed("answered")
        found = self._db.execute(
            "SELECT batch FROM attempts WHERE key = ? AND ended IS NULL", (request.key,)
        ).fetchone()
        if found:
            return Claimed("busy" if found[0] is None else "batched")
        reserve = _nano(claim.usd)
        if claim.max_usd is not None and money.charged + reserve > _nano(claim.max_usd):
            return Claimed("over_budget")
        money.reserved += reserve
        self._db.execute(
            "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
            (
                request.key,
                request.purpose,
                request.subject,
                request.model,
                request.prompt_version,
                request.image.sha256 if request.image else "",
                request.draw,
            ),
        )
        cursor = self._db.execute(
            "INSERT INTO attempts (key, run, batch, reserved, started) VALUES (?, ?, ?, ?, ?)",
            (request.key, None if claim.batch else run, claim.batch, reserve, time.time()),
        )
        assert cursor.lastrowid is not None
        return Claimed("granted", cursor.lastrowid)

    def _settle(self, settle: Settle, money: _Wallet) -> None:
        reply = settle.reply
        outcome = "lost: no reply" if settle.lost else "reply"
        reserved = self._end(settle.attempt, outcome, money)
        if reserved is None:
            return  # settled before: a batch that was collected twice
        cost = reserved if settle.untold else _nano(reply.usd)
        money.spent += cost
        money.lost += reserved if settle.lost else 0
        self._db.execute(
            "INSERT INTO replies (key, via, api, http_status, raw, model, input_tokens,"
            " cached_tokens, output_tokens, cost, seconds, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                reply.key,
                reply.via,
                reply.api,
                reply.http_status,
                zlib.compress(reply.raw, 1),
                reply.model,
                reply.input_tokens,
                reply.cached_tokens,
                reply.output_tokens,
                cost,
                reply.seconds,
                reply.at or time.time(),
            ),
        )

    def _release(self, release: Release, money: _Wallet) -> None:
        outcome = f"lost: {release.outcome}" if release.paid else release.outcome
        reserved = self._end(release.attempt, outcome, money)
        if release.paid:
            money.lost += reserved or 0

    def _end(self, attempt: int, outcome: str, money: _Wallet) -> int | None:
        """End an open attempt and give back what it reserved; None where it is ended already."""
        row = self._db.execute(
            "UPDATE attempts SET ended = ?, outcome = ? WHERE id = ? AND ended IS NULL"
            " RETURNING reserved",
            (time.time(), outcome, attempt),
        ).fetchone()
        if row is None:
            return None
        reserved: int = row[0]
        money.reserved -= reserved
        return reserved

    # Who sends

    def _start_run(self) -> int:
        """Register this process as one that sends online: its number, under a lock of its own."""
        with self._lock:
            if self._run is None:
                with self.transaction():
                    cursor = self._db.execute(
                        "INSERT INTO runs (pid, started) VALUES (?, ?)", (os.getpid(), time.time())
                    )
                assert cursor.lastrowid is not None
                # Locked before its first attempt is written: nobody takes it for dead.
                self._run_lock = _RunLock(self._locks / str(cursor.lastrowid))
                self._run_lock.acquire()
                self._run = cursor.lastrowid
            return self._run

    def bury_dead(self) -> int:
        """End the open attempts of processes that are gone; how many there were.

        They count as lost: their requests may have been answered and paid.
        """
        buried = 0
        for (run,) in self.rows(
            "SELECT DISTINCT run FROM attempts WHERE ended IS NULL AND run IS NOT NULL"
        ):
            if run == self._run:
                continue
            lock = _RunLock(self._locks / str(run))
            if lock.acquire():
                buried += self._bury(run)
                lock.release()
        return buried

    def _bury(self, run: int) -> int:
        with self.transaction():
            (number, reserved) = self._db.execute(
                "SELECT count(*), coalesce(sum(reserved), 0) FROM attempts"
                " WHERE run = ? AND ended IS NULL",
                (run,),
            ).fetchone()
            self._db.execute(
                "UPDATE attempts SET ended = ?, outcome = 'lost: the process ended'"
                " WHERE run = ? AND ended IS NULL",
                (time.time(), run),
            )
            self._db.execute(
                "UPDATE money SET reserved = reserved - ?, lost = lost + ?", (reserved, reserved)
            )
        return int(number)

    @property
    def _locks(self) -> Path:
        return self.path.with_name(f"{self.path.name}-locks")

    # Reading

    def answered(self) -> set[str]:
        """Keys of all requests that have a reply."""
        return {key for (key,) in self.rows("SELECT key FROM replies WHERE current = 1")}

    def open_batched(self) -> set[str]:
        """Keys of all requests that are in a batch whose outcome is not known yet."""
        query = "SELECT key FROM attempts WHERE ended IS NULL AND batch IS NOT NULL"
        return {key for (key,) in self.rows(query)}

    def in_flight(self) -> int:
        """How many requests are under way online, from any process."""
        query = "SELECT count(*) FROM attempts WHERE ended IS NULL AND batch IS NULL"
        ((number,),) = self.rows(query)
        return int(number)

    def replies(self, keys: Iterable[str]) -> dict[str, StoredReply]:
        """The replies of those `keys` that have one."""
        found: dict[str, StoredReply] = {}
        wanted = list(keys)
        for first in range(0, len(wanted), _KEYS_PER_QUERY):
            some = wanted[first : first + _KEYS_PER_QUERY]
            marks = ", ".join("?" * len(some))
            for row in self.rows(
                "SELECT key, via, api, http_status, raw, model, input_tokens, cached_tokens,"
                f" output_tokens, cost, seconds, at FROM replies WHERE key IN ({marks})"
                " AND current = 1",
                some,
            ):
                reply = StoredReply(*row)
                found[reply.key] = reply._replace(raw=zlib.decompress(row[4]), usd=row[9] / NANO)
        return found

    def money(self) -> Money:
        """What was and may have been spent with this ledger."""
        ((spent, reserved, lost),) = self.rows("SELECT spent, reserved, lost FROM money")
        return Money(spent=spent / NANO, reserved=reserved / NANO, lost=lost / NANO)

    def lost(self) -> int:
        """How many attempts ended without a reply although they may have been answered."""
        ((number,),) = self.rows("SELECT count(*) FROM attempts WHERE outcome LIKE 'lost%'")
        return int(number)

    def forget(self, keys: Iterable[str]) -> int:
        """Put the replies of `keys` aside, so that they are asked again; how many there were.

        Their raw text and cost are kept.
        """
        with self.transaction():
            return sum(
                self._db.execute(
                    "UPDATE replies SET current = 0 WHERE key = ? AND current = 1", (key,)
                ).rowcount
                for key in keys
            )

    # What was learnt of an endpoint

    def endpoint_api(self, base_url: str, model: str) -> str | None:
        """The dialect that the endpoint was found to accept for `model`."""
        rows = self.rows(
            "SELECT api FROM endpoints WHERE base_url = ? AND model = ?", (base_url, model)
        )
        return rows[0][0] if rows else None

    def remember_api(self, base_url: str, model: str, api: str) -> None:
        """Keep what `endpoint_api` returns."""
        with self.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO endpoints VALUES (?, ?, ?)", (base_url, model, api)
            )


@dataclass
class _Wallet:
    """The one row of table `money`, in nano-dollars, within a transaction."""

    spent: int
    reserved: int
    lost: int

    @property
    def charged(self) -> int:
        return self.spent + self.reserved + self.lost


class _RunLock:
    """A lock that the operating system takes back when its process dies."""

    def __init__(self, path: Path) -> None:
        from filelock import FileLock

        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = FileLock(path, timeout=0, thread_local=False)

    def acquire(self) -> bool:
        from filelock import Timeout

        try:
            self._lock.acquire()
        except Timeout:
            return False
        return True

    def release(self) -> None:
        # Removed while it is held: who opened it just before finds nothing left to bury.
        self._path.unlink(missing_ok=True)
        self._lock.release()
        with suppress(OSError):
            self._path.parent.rmdir()


def _nano(usd: float) -> int:
    return round(usd * NANO)
