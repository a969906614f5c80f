"""The lines of a batch's results, joined with its requests on custom_id.

A good line counts at once, a bad one only when all are read: another line of the same request may
be good. In the end every request has a reply or is free to be sent again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from mgld.llm.batch_book import AGAIN, CHANGES_PER_COMMIT, BatchBook, BatchRow
from mgld.llm.batch_file import Result
from mgld.llm.client import HttpReply, redact, without_key
from mgld.llm.ledger import Change, Release, Settle, StoredReply
from mgld.llm.outcome import Outcome, outcome_of
from mgld.llm.prices import Price, cost_usd, find_price
from mgld.llm.settings import Api, LlmSettings
from mgld.llm.wire import read_reply

TRIES = 5
"""A request that went through so many batches in vain gets an error reply."""
HOPELESS = 20
"""So many refused requests and no answer in a batch: the call is wrong, not the requests."""


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
        self._answered = len(attempts) > len(self._open)
        self.refused = ""
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
                self._answered = True
                self._bad.pop(result.key, None)
                raw = without_key(result.raw, result.http_status, self._settings)
                self._settle(result._replace(raw=raw))
            else:
                self._bad[result.key] = result

    def finish(self, *, paid: bool) -> None:
        """Say of what is left what is to become of it. `paid`: replies there were, but are gone."""
        self.counts += self._lines
        tries = self._book.tries() if self._open else {}
        judged = {key: self._judge(result) for key, result in self._bad.items()}
        hopeless = self._hopeless(judged)
        for key in list(self._open):
            outcome = judged.get(key)
            if outcome is None:
                self.counts["missing"] += 1
                outcome = Outcome("again", "it is not in the batch's results", paid)
            if outcome.kind == "answered" and not hopeless:
                self._settle(self._bad[key])
                continue
            if outcome.kind != "again":
                # No try of this request: nobody's would go well until something is put right.
                self.refused = outcome.reason
                self._release(key, f"refused: {outcome.reason}", False)
                continue
            number = tries.get(key, 0) + 1
            if number >= TRIES:
                last = f"given up after {number} batches, last: {outcome.reason}"
                self._settle(Result(key, 0, last.encode()))
            else:
                self._release(key, f"{AGAIN}: {outcome.reason}", outcome.paid)
        self._commit()

    def _judge(self, result: Result) -> Outcome:
        """What a line without an answer means."""
        if not result.http_status:
            return Outcome("again", redact(result.reason, self._settings))
        raw = without_key(result.raw, result.http_status, self._settings)
        self._bad[result.key] = result._replace(raw=raw)
        api: Api = self._row.api  # type: ignore[assignment]
        return outcome_of(HttpReply(result.http_status, raw, None), api)

    def _hopeless(self, judged: dict[str, Outcome]) -> bool:
        """Whether the batch was refused request by request."""
        if self._answered or len(self._bad) < max(HOPELESS, len(self._keys)):
            return False
        return all(outcome.useless for outcome in judged.values())

    def _release(self, key: str, outcome: str, paid: bool) -> None:
        self._add(Release(self._open.pop(key), outcome, paid))
        self.counts["released"] += 1

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
        untold = 200 <= result.http_status < 300 and not any(tokens)
        self._add(Settle(self._open.pop(result.key), stored, untold=untold))
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
