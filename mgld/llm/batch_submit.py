"""Requests into batches: claimed, written to a file, uploaded.

What is written down before each step, and what a killed process leaves, stands in
`mgld.llm.batch_book`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from mgld.llm.batch_book import BatchBook, BatchRow
from mgld.llm.batch_create import BatchCreator
from mgld.llm.batch_endpoint import BatchEndpoint
from mgld.llm.batch_file import RequestFile, request_line
from mgld.llm.errors import EndpointError
from mgld.llm.estimate import estimate, upper_bound_usd
from mgld.llm.ledger import Claim, Settle, StoredReply
from mgld.llm.prices import Price, find_price
from mgld.llm.request import Request
from mgld.llm.settings import Api, LlmSettings
from mgld.schema import Record

QUEUE_SECONDS = 86_400.0
"""For so long the endpoint's queue is taken to be as short as it was found to be."""


class Submitted(Record):
    """What became of the requests. All are counted once, in one of the numbers but the first.

    batches: newly submitted, with `sent` requests, `bytes` in all, and `most_usd` dollars at most
    (None without a price). before: answered already. waiting: in an earlier batch, or with another
    process. over_budget, no_room: left for later, because of `max_usd` or of the endpoint's queue.
    unsendable: stored as error replies, since their images cannot be read.
    """

    batches: int = 0
    sent: int = 0
    bytes: int = 0
    most_usd: float | None = 0.0
    before: int = 0
    waiting: int = 0
    over_budget: int = 0
    no_room: int = 0
    unsendable: int = 0


class Submitter:
    """Submits with one ledger to one endpoint; the caller holds the lock (`only_one`)."""

    def __init__(
        self,
        book: BatchBook,
        endpoint: BatchEndpoint,
        settings: LlmSettings,
        creator: BatchCreator,
    ) -> None:
        self._book, self._endpoint, self._settings = book, endpoint, settings
        self._creator = creator
        self._api: Api = "responses" if settings.api == "auto" else settings.api
        self._prices: dict[str, Price | None] = {}
        self._counts: Counter[str] = Counter()
        self._most = 0.0

    def submit(self, requests: Iterable[Request]) -> Submitted:
        """Submit what has no reply and is not on its way; see `mgld.llm.batch.submit`."""
        ledger = self._book.ledger
        ledger.bury_dead()
        self._counts, self._most = Counter(), 0.0
        answered, waiting, seen = ledger.answered(), ledger.open_batched(), set[str]()
        file: RequestFile | None = None
        planned = 0.0  # dollars of the requests in `file`
        room: dict[str, int] = {}
        try:
            for request in requests:
                if request.key in seen:
                    continue
                seen.add(request.key)
                model, usd = request.model, self._most_usd(request)
                if model not in room:
                    room[model] = self._queue_room(model)
                if request.key in answered:
                    self._counts["before"] += 1
                elif request.key in waiting:
                    self._counts["waiting"] += 1
                elif not self._affordable(planned + usd):
                    self._counts["over_budget"] += 1
                elif room[model] <= 0:
                    self._counts["no_room"] += 1
                elif line := self._line(request):
                    if file is not None and not file.fits(request, line):
                        full, file, planned = file, None, 0.0
                        self._send(full)
                    if file is None:
                        file = RequestFile(self._book.upload_path, model, self._api)
                    file.add(request, line)
                    planned += usd
                    room[model] -= 1
            if file is not None:
                last, file = file, None
                self._send(last)
        finally:
            if file is not None:
                file.close()
        most = self._most if all(self._prices.values()) else None
        return Submitted(most_usd=most, **self._counts)

    def _send(self, file: RequestFile) -> None:
        """Claim the requests of a file, upload it, create its batch."""
        with file:
            row = BatchRow(
                tag=file.new_tag(),
                base_url=self._endpoint.base_url,
                model=file.model,
                api=self._api,
                state="intended",
                file_id=None,
                batch_id=None,
                status="",
                requests=len(file.requests),
                bytes=file.bytes,
                created=time.time(),
            )
            self._book.add(row)
            row = self._claim(row, file)
            if not row.requests:
                self._book.end(row.tag, "nothing was left to send")
                return
            try:
                file_id = self._endpoint.upload(file.path, f"mgld-{row.tag}.jsonl")
            except EndpointError:
                self._book.end(row.tag, "the upload failed")
                raise
        self._book.change(row.tag, file_id=file_id)
        self._creator.create(replace(row, file_id=file_id))
        self._counts.update(batches=1, sent=row.requests, bytes=row.bytes)

    def _claim(self, row: BatchRow, file: RequestFile) -> BatchRow:
        """Claim the requests of a file; those that are not ours leave it."""
        bounds = [self._most_usd(request) for request in file.requests]
        claims = [
            Claim(request, usd, self._settings.max_usd, row.tag)
            for request, usd in zip(file.requests, bounds, strict=True)
        ]
        states = [claimed.state for claimed in self._book.ledger.apply(claims) if claimed]
        granted = [state == "granted" for state in states]
        file.keep(granted)
        self._most += sum(usd for usd, mine in zip(bounds, granted, strict=True) if mine)
        self._counts.update(
            before=states.count("answered"),
            waiting=states.count("busy") + states.count("batched"),
            over_budget=states.count("over_budget"),
        )
        row = replace(row, requests=sum(granted), bytes=file.bytes)
        self._book.change(row.tag, requests=row.requests, bytes=row.bytes)
        return row

    def _queue_room(self, model: str) -> int:
        """How many requests may be added to what the endpoint has, by what it last refused.

        Half of the fewest that were too many; a batch that is refused again halves it again.
        """
        rows = [row for row in self._book.batches() if row.model == model]
        running = sum(row.requests for row in rows if row.state == "submitted")
        recent = time.time() - QUEUE_SECONDS
        refused = [row.queued for row in rows if row.queued and (row.ended or 0.0) > recent]
        return max(1, min(refused) // 2) - running if refused else 1 << 62

    def _affordable(self, usd: float) -> bool:
        limit = self._settings.max_usd
        return limit is None or self._book.ledger.money().charged + usd <= limit

    def _line(self, request: Request) -> bytes | None:
        """A request's line; None, and an error reply, where its image cannot be read."""
        try:
            return request_line(request, self._api)
        except (OSError, ValueError) as error:
            reason = f"the image cannot be sent: {error}".encode()
        ledger = self._book.ledger
        (claimed,) = ledger.apply([Claim(request)])
        if claimed and claimed.state == "granted":
            reply = StoredReply(request.key, "batch", self._api, 0, reason)
            ledger.apply([Settle(claimed.attempt, reply)])
        self._counts["unsendable"] += 1
        return None

    def _most_usd(self, request: Request) -> float:
        price = self._price(request.model)
        if price is None:
            return 0.0
        return upper_bound_usd(request, estimate(request, None, None), price, batch=True)

    def _price(self, model: str) -> Price | None:
        if model not in self._prices:
            price = find_price(model, self._settings)
            if price is None and self._settings.max_usd is not None:
                raise ValueError(
                    f"--max-usd needs to know what {model} costs, and no price is known: give one "
                    "in a file like mgld/llm/prices.yaml (setting llm.prices)"
                )
            self._prices[model] = price
        return self._prices[model]
