"""Requests through the Batch API: half the price, within a day, each paid once.

`submit`, `poll` and `collect` are for people who come back later; `run_batches` waits. All are safe
to be killed at any moment and made again, with the same ledger; one at a time submits or collects.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager

from mgld.llm.batch_book import BatchBook, only_one
from mgld.llm.batch_collect import BatchState, Collected, Collector, look
from mgld.llm.batch_create import BatchCreator, Tell
from mgld.llm.batch_endpoint import BatchEndpoint, EndpointAwayError
from mgld.llm.batch_submit import Submitted, Submitter
from mgld.llm.errors import BudgetError, DeadlineError, EndpointError
from mgld.llm.ledger import Ledger
from mgld.llm.online import Gathered
from mgld.llm.request import Request
from mgld.llm.settings import LlmSettings

__all__ = [
    "POLL_SECONDS",
    "BatchState",
    "Collected",
    "Submitted",
    "collect",
    "poll",
    "run_batches",
    "submit",
]

POLL_SECONDS = 60.0
AWAY_SECONDS = 6 * 3600.0
"""So long `run_batches` waits for an endpoint that has become unreachable: batches run a day."""
_SAY = "what was collected is kept and what was submitted runs on; the same command goes on"


def submit(
    requests: Iterable[Request],
    ledger: Ledger,
    settings: LlmSettings,
    *,
    tell: Tell = lambda line: None,
) -> Submitted:
    """Submit what has no reply yet and is not on its way; returns without waiting for replies.

    First puts right what a killed submit left. `requests` is read once, one image in memory at a
    time. `tell` hears of each batch.

    ValueError: another process is at it, no key, or a budget for a model without a price.
    EndpointError: the endpoint refuses the file or the batch, or is away; what was submitted
    before stays, the same call goes on from there.
    """
    with _opened(ledger, settings) as (book, endpoint):
        creator = BatchCreator(book, endpoint, tell)
        creator.recover(create=True)
        return Submitter(book, endpoint, settings, creator).submit(requests)


def poll(ledger: Ledger, settings: LlmSettings) -> list[BatchState]:
    """The state of every batch of the ledger, oldest first. ValueError, EndpointError as above."""
    with closing(BatchEndpoint(settings)) as endpoint:
        return look(BatchBook(ledger), endpoint)


def collect(ledger: Ledger, settings: LlmSettings, *, tell: Tell = lambda line: None) -> Collected:
    """Store the replies of all batches that have ended; raises like `submit`.

    Requests without a reply are free to be submitted again. A batch of which it is not known
    whether it exists is looked for, not created.
    """
    with _opened(ledger, settings) as (book, endpoint):
        uncertain = BatchCreator(book, endpoint, tell).recover(create=False)
        found = Collector(book, endpoint, settings).collect()
        if uncertain:
            found.notes.append(
                f"{uncertain} batches were asked for and are not listed; the next submit decides"
            )
        return found


def run_batches(
    requests: Iterable[Request],
    ledger: Ledger,
    settings: LlmSettings,
    *,
    on_reply: Callable[[int], None] = lambda number: None,
    poll_seconds: float = POLL_SECONDS,
    tell: Tell = lambda line: None,
) -> Gathered:
    """Submit, wait and collect until every request has a reply, those that failed once more.

    `on_reply` is called with the number of requests that are newly done. Returns and raises like
    `mgld.llm.online.gather`: BudgetError, DeadlineError and EndpointError leave everything so that
    the same call goes on from there.
    """
    with _opened(ledger, settings) as (book, endpoint):
        return _Run(list(requests), book, endpoint, settings, on_reply, tell).run(poll_seconds)


@contextmanager
def _opened(ledger: Ledger, settings: LlmSettings) -> Iterator[tuple[BatchBook, BatchEndpoint]]:
    with only_one(ledger), closing(BatchEndpoint(settings)) as endpoint:
        yield BatchBook(ledger), endpoint


class _Run:
    def __init__(
        self,
        requests: list[Request],
        book: BatchBook,
        endpoint: BatchEndpoint,
        settings: LlmSettings,
        on_reply: Callable[[int], None],
        tell: Tell,
    ) -> None:
        self._requests = list({request.key: request for request in requests}.values())
        self._keys = {request.key for request in self._requests}
        self._book, self._ledger, self._settings = book, book.ledger, settings
        self._creator = BatchCreator(book, endpoint, tell)
        self._submitter = Submitter(book, endpoint, settings, self._creator)
        self._endpoint, self._on_reply, self._tell = endpoint, on_reply, tell
        self._ours = self._errors = self._released = 0
        self._reached = False
        self._away_since: float | None = None

    def run(self, poll_seconds: float) -> Gathered:
        self._require_one_endpoint()
        began, money, lost = time.monotonic(), self._ledger.money(), self._ledger.lost()
        before = done = len(self._keys & self._ledger.answered())
        while True:
            submitted = self._round()
            now_done = len(self._keys & self._ledger.answered())
            self._on_reply(now_done - done)
            done = now_done
            if done == len(self._keys):
                break
            if submitted is not None:
                self._stop_if_stuck(submitted)
            self._wait(poll_seconds, began)
        api = self._settings.api
        return Gathered(
            before=before,
            answered=self._ours,
            elsewhere=done - before - self._ours,
            errors=self._errors,
            retries=self._released,
            lost=self._ledger.lost() - lost,
            usd=max(0.0, self._ledger.money().charged - money.charged),
            seconds=time.monotonic() - began,
            api="responses" if api == "auto" else api,
        )

    def _round(self) -> Submitted | None:
        """Collect what has ended, submit what is missing; None where the endpoint was away."""
        try:
            self._creator.recover(create=True)
            collector = Collector(self._book, self._endpoint, self._settings, self._count)
            found = collector.collect()
            self._errors += found.errors
            self._released += found.released
            for note in found.notes:
                self._tell(note)
            if found.refused:
                raise EndpointError(f"the endpoint refused {'; '.join(found.refused)}; {_SAY}")
            submitted = self._submitter.submit(self._requests)
            self._ours += submitted.unsendable
            self._errors += submitted.unsendable
        except EndpointAwayError as error:
            self._away_since = self._away_since or time.monotonic()
            if not self._reached or time.monotonic() - self._away_since > AWAY_SECONDS:
                raise
            self._tell(f"{error}; trying again")
            return None
        self._reached, self._away_since = True, None
        return submitted

    def _require_one_endpoint(self) -> None:
        """ValueError where we would wait for batches that are somewhere else."""
        for row in self._book.batches("submitted", "creating"):
            keys = {each.key for each in self._book.attempts(row.tag) if each.open}
            if row.base_url != self._endpoint.base_url and keys & self._keys:
                raise ValueError(
                    f"{row.requests:,} requests are in a batch at {row.base_url}: collect it with "
                    "that --base-url first"
                )

    def _count(self, key: str) -> None:
        self._ours += key in self._keys

    def _stop_if_stuck(self, submitted: Submitted) -> None:
        """BudgetError where nothing is on its way and nothing more may be sent."""
        idle = not (submitted.batches or submitted.waiting or submitted.no_room)
        if submitted.over_budget and idle and not self._book.batches("submitted", "creating"):
            money = self._ledger.money()
            raise BudgetError(
                f"the budget is used up: ${money.charged:.4f} of ${self._settings.max_usd} is "
                f"charged, and {submitted.over_budget:,} requests are left; what was answered is "
                "kept, a higher --max-usd goes on from here"
            )

    def _wait(self, poll_seconds: float, began: float) -> None:
        limit = self._settings.total_seconds
        left = None if limit is None else limit - (time.monotonic() - began)
        if left is not None and left <= 0:
            raise DeadlineError(f"the time given (total_seconds) is over; {_SAY}")
        time.sleep(poll_seconds if left is None else min(poll_seconds, left))
