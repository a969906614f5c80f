"""The lines of a batch's results, joined with its requests on custom_id.

A good line counts at once, a bad one only when all are read: another line of the same request may
be good. In the end every request has a reply or is free to be sent again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from mgld.llm.batch_book import AGAIN, CHANGES_PER_COMMIT, BatchBook, BatchRow
from mgld.llm.batch_file import Result
from mgld.llm.client import HttpReply, redact
from mgld.llm.ledger import Change, Release, Settle, StoredReply
from mgld.llm.outcome import outcome_of
from mgld.llm.prices import Price, cost_usd, find_price
from mgld.llm.settings import Api, LlmSettings
from mgld.llm.wire import read_reply

TRIES = 5
"""A request that went through so many batches in vain gets an error reply."""


class BatchJoin:
    """The requests of one batch, to which its lines are given. See the module."""

    def __init__(
        self,
        book: BatchBook,
        row: BatchRow,
        settings: LlmSettings,
        on_reply: Callable[[str], None],
    ) -> None:
        self._book, self._row, self._settings, self._on_reply = book, row, settings, on_reply
        self._price: Price | None = find_price(row.model, settings)
        attempts = book.attempts(row.tag)
        self._keys = {each.key for each in attempts}
        self._open = {each.key: each.id for each in attempts if each.open}
        self._bad: dict[str, Result] = {}
        self._changes: list[Change] = []
        self.usd = 0.0
        self.counts: Counter[str] = Counter()
        self._lines: Counter[str] = Counter()
        self._seen: set[str] = set()

    def begin(self) -> None:
        """Read from the first line, perhaps once more."""
        self._lines, self._seen = Counter(), set()

    @property
    def lacks(self) -> bool:
        """Whether a line is missing or broken."""
        return bool(self._lines["broken"] or self._open.keys() - self._seen)

    def take(self, result: Result | None) -> None:
        """Take a line."""
        if result is None:
            self._lines["broken"] += 1
        elif result.key not in self._keys:
            self._lines["unknown"] += 1
        else:
            self._lines["duplicate"] += result.key in self._seen
            self._seen.add(result.key)
            if result.key not in self._open:
                return  # its reply is stored, by this collect or by one that was stopped
            if 200 <= result.http_status < 300:
                self._settle(result)
            else:
                self._bad[result.key] = result

    def finish(self, *, paid: bool) -> None:
        """Say of what is left what is to become of it. `paid`: replies there were, but are gone."""
        self.counts += self._lines
        tries = self._book.tries() if self._open else {}
        api: Api = self._row.api  # type: ignore[assignment]
        for key in list(self._open):
            result = self._bad.get(key)
            if result is None:
                self.counts["missing"] += 1
                result = Result(key, 0, b"", "", "it is not in the batch's results")
            why = result.reason
            if result.http_status:
                said = redact(result.raw.decode(), self._settings).encode()
                result = result._replace(raw=said)
                outcome = outcome_of(HttpReply(result.http_status, said, None), api)
                if outcome.kind == "answered":
                    self._settle(result)
                    continue
                why = outcome.reason
            number = tries.get(key, 0) + 1
            if number >= TRIES:
                last = f"given up after {number} batches, last: {redact(why, self._settings)}"
                self._settle(Result(key, 0, last.encode()))
                continue
            lost = paid and key not in self._bad
            self._add(Release(self._open.pop(key), f"{AGAIN}: {why}", lost))
            self.counts["released"] += 1
        self._commit()

    def _settle(self, result: Result) -> None:
        said = read_reply(self._row.api, result.http_status, result.raw)
        tokens = (said.input_tokens, said.cached_tokens, said.output_tokens)
        usd = cost_usd(self._price, *tokens, batch=True) if self._price else 0.0
        stored = StoredReply(
            result.key,
            "batch",
            self._row.api,
            result.http_status,
            result.raw,
            said.model,
            *tokens,
            usd=usd,
        )
        self._add(Settle(self._open.pop(result.key), stored))
        self.usd += usd
        self.counts["replies"] += 1
        self.counts["errors"] += not 200 <= result.http_status < 300
        self._on_reply(result.key)

    def _add(self, change: Change) -> None:
        self._changes.append(change)
        if len(self._changes) >= CHANGES_PER_COMMIT:
            self._commit()

    def _commit(self) -> None:
        self._book.apply(self._changes)
        self._changes = []
