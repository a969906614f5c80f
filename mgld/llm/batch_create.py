"""Creating batches at the endpoint, each once, whatever is answered and whoever is killed.

It is the one step that costs money and cannot be repeated safely: after an error of it the
endpoint's list of batches is searched for our tag, for as long as the list may lag, before it is
asked for again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from mgld.llm.batch_book import BatchBook, BatchRow
from mgld.llm.batch_endpoint import ENDED, BatchEndpoint, EndpointAwayError, MayExistError
from mgld.llm.errors import EndpointError
from mgld.llm.limits import backoff
from mgld.llm.wire import PATHS

if TYPE_CHECKING:
    from openai.types import Batch

GRACE_SECONDS = 180.0
"""For so long a batch that exists may be missing from the endpoint's list."""
LIST_SECONDS = 15.0
"""Between two looks at the list while we wait for it."""
CREATE_TRIES = 5
DOUBLE_SECONDS = 3600.0
"""For so long after the last request to create it, a second copy of a batch is looked for."""

Tell = Callable[[str], None]


class BatchCreator:
    """Creates batches of one ledger at one endpoint; the caller holds the lock (`only_one`)."""

    def __init__(self, book: BatchBook, endpoint: BatchEndpoint, tell: Tell) -> None:
        self._book, self._endpoint, self._tell = book, endpoint, tell

    def recover(self, *, create: bool) -> int:
        """Put right what a killed process left; how many batches stay uncertain.

        create: ask again for a batch that the endpoint turns out not to have.
        """
        uncertain = 0
        self._book.upload_path.unlink(missing_ok=True)
        self._book.download_path.unlink(missing_ok=True)
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

    def create(self, row: BatchRow) -> None:
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
            self.create(row)

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


def _usefulness(batch: Batch) -> tuple[bool, bool, int, int, str]:
    """Sorts the copy to keep first: not given up, completed, furthest on, oldest."""
    done = batch.request_counts.completed if batch.request_counts else 0
    given_up = batch.status in ("failed", "expired", "cancelled", "cancelling")
    return given_up, batch.status != "completed", -done, batch.created_at, batch.id
