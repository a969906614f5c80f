"""Requests into batches, and batches to the endpoint: each exactly once.

What is written down before each step, and what a killed process leaves, stands in
`mgld.llm.batch_book`. Creating a batch is the one step that costs money and cannot be repeated
safely: after an error of it the endpoint's list of batches is searched for our tag, for as long as
the list may lag, before it is asked for again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mgld.llm.batch_book import BatchBook, BatchRow
from mgld.llm.batch_endpoint import ENDED, BatchEndpoint, EndpointAwayError, MayExistError
from mgld.llm.batch_file import RequestFile, request_line
from mgld.llm.errors import EndpointError
from mgld.llm.estimate import estimate, upper_bound_usd
from mgld.llm.ledger import Claim, Settle, StoredReply
from mgld.llm.limits import backoff
from mgld.llm.prices import Price, find_price
from mgld.llm.request import Request
from mgld.llm.settings import Api, LlmSettings
from mgld.llm.wire import PATHS
from mgld.schema import Record

if TYPE_CHECKING:
    from openai.types import Batch

GRACE_SECONDS = 180.0
"""For so long a batch that exists may be missing from the endpoint's list."""
LIST_SECONDS = 15.0
"""Between two looks at the list while we wait for it."""
CREATE_TRIES = 5
DOUBLE_SECONDS = 3600.0
"""For so long after the last request to create it, a second copy of a batch is looked for."""
QUEUE_SECONDS = 86_400.0
"""For so long the endpoint's queue is taken to be as short as it was found to be."""

Tell = Callable[[str], None]


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
        self, book: BatchBook, endpoint: BatchEndpoint, settings: LlmSettings, tell: Tell
    ) -> None:
        self._book, self._endpoint, self._settings, self._tell = book, endpoint, settings, tell
        self._api: Api = "responses" if settings.api == "auto" else settings.api
        self._prices: dict[str, Price | None] = {}
        self._counts: Counter[str] = Counter()
        self._most = 0.0

    def recover(self, *, create: bool) -> int:
        """Put right what a killed process left; how many batches stay uncertain.

        create: ask again for a batch that the endpoint turns out not to have.
        """
        uncertain = 0
        self._path.unlink(missing_ok=True)
        for row in self._book.batches("intended"):
            # No batch was asked for, so nothing is lost; what is wanted now is claimed afresh.
            self._book.end(
                row.tag, "never submitted", outcome="its process ended before the submit"
            )
            if row.file_id and row.base_url == self._endpoint.base_url:
                self._endpoint.delete_file(row.file_id)
        for row in self._book.batches("creating"):
            if row.base_url != self._endpoint.base_url:
                uncertain += 1
            elif create:
                self._find_or_create(row)
            elif not self._adopt(row):
                uncertain += 1
        self._cancel_doubles()
        return uncertain

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
                        file = RequestFile(self._path, model, self._api)
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

    @property
    def _path(self) -> Path:
        """Where a file is written: one name, so that what a killed process left is overwritten."""
        ledger = self._book.ledger.path
        return ledger.with_name(f"{ledger.name}-batch-upload.jsonl")

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
        self._create(replace(row, file_id=file_id))
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
            waiting=states.count("busy"),
            over_budget=states.count("over_budget"),
        )
        row = replace(row, requests=sum(granted), bytes=file.bytes)
        self._book.change(row.tag, requests=row.requests, bytes=row.bytes)
        return row

    def _create(self, row: BatchRow) -> None:
        """Have the endpoint create a batch, once."""
        file_id = row.file_id
        assert file_id is not None
        for tries in range(1, CREATE_TRIES + 1):
            row = replace(row, asked=time.time(), asked_times=row.asked_times + 1)
            self._book.change(
                row.tag, state="creating", asked=row.asked, asked_times=row.asked_times
            )
            try:
                batch = self._endpoint.create(f"/v1{PATHS[row.api]}", file_id, row.tag)  # type: ignore[index]
            except MayExistError as error:
                self._tell(f"{error}; looking whether the batch is there")
                if self._await_listing(row):
                    return
                problem: EndpointError = error
            except EndpointAwayError as error:
                problem = error
                time.sleep(backoff(tries))
            except EndpointError as error:
                self._book.end(row.tag, str(error), outcome=f"not accepted: {error}")
                self._endpoint.delete_file(file_id)
                raise
            else:
                self._submitted(row, batch)
                return
        raise EndpointAwayError(f"{problem}; the next submit goes on with this batch")

    def _find_or_create(self, row: BatchRow) -> None:
        if not self._await_listing(row):
            self._create(row)

    def _await_listing(self, row: BatchRow) -> bool:
        """Look for a batch until it is found or the list cannot lag so long; whether it is."""
        while True:
            # The time first: a batch that the list still lacks now may be in it a moment later.
            late = time.time() - (row.asked or 0.0) >= GRACE_SECONDS
            if self._adopt(row):
                return True
            if late:
                return False
            time.sleep(min(LIST_SECONDS, GRACE_SECONDS))

    def _adopt(self, row: BatchRow) -> bool:
        """Take up a batch that was created although nobody heard of it; whether there is one."""
        assert row.file_id is not None
        found = self._endpoint.find(row.tag, row.file_id, row.created)
        if not found:
            return False
        kept, *others = sorted(found, key=_usefulness)
        self._submitted(row, kept)
        self._cancel(row, others)
        return True

    def _submitted(self, row: BatchRow, batch: Batch) -> None:
        self._book.change(row.tag, state="submitted", batch_id=batch.id, status=batch.status)
        self._tell(f"{batch.id}: {row.requests:,} requests, {row.bytes / 1e6:,.1f} MB")

    def _cancel_doubles(self) -> None:
        """Cancel second copies of batches whose creation had to be asked for more than once."""
        for row in self._book.batches("submitted", "ended"):
            recent = (row.asked or 0.0) > time.time() - DOUBLE_SECONDS
            if row.asked_times < 2 or not row.batch_id or row.base_url != self._endpoint.base_url:
                continue
            if row.state == "submitted" or recent:
                assert row.file_id is not None
                found = self._endpoint.find(row.tag, row.file_id, row.created)
                self._cancel(row, [batch for batch in found if batch.id != row.batch_id])

    def _cancel(self, row: BatchRow, doubles: list[Batch]) -> None:
        for batch in doubles:
            if batch.status not in ENDED and batch.status != "cancelling":
                self._tell(f"{batch.id}: cancelled, the endpoint made the same batch twice")
                self._endpoint.cancel(batch.id)

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


def _usefulness(batch: Batch) -> tuple[bool, bool, int, int, str]:
    """Sorts the copy to keep first: not given up, completed, furthest on, oldest."""
    done = batch.request_counts.completed if batch.request_counts else 0
    given_up = batch.status in ("failed", "expired", "cancelled", "cancelling")
    return given_up, batch.status != "completed", -done, batch.created_at, batch.id
