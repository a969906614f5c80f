"""Files and batches of an endpoint: calls that are tried again, and the one that must not be.

Everything here can be repeated without cost except creating a batch: that is sent once, and its
errors are told apart by whether there may be a batch now.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mgld.llm.client import base_url, redact, sync_client
from mgld.llm.errors import EndpointError
from mgld.llm.limits import backoff
from mgld.llm.settings import LlmSettings

if TYPE_CHECKING:
    from openai import APIStatusError
    from openai.types import Batch

T = TypeVar("T")

TRIES = 9
"""Of a call that failed for a reason that may pass: over about two minutes."""
TRANSFER_SECONDS = 600.0
"""For a read or a write of a large file to make progress at all."""
METADATA = "mgld"
CLOCK_SECONDS = 3600.0
"""By how much the endpoint's clock may be behind ours."""
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


class EndpointAwayError(EndpointError):
    """The endpoint cannot be reached, or has errors of its own, after several tries."""


class MayExistError(EndpointError):
    """A batch may have been created, or not: the reply was lost, or an error of the server's."""


class BatchEndpoint:
    """Files and batches behind one base URL. ValueError where there is no API key for it."""

    def __init__(self, settings: LlmSettings) -> None:
        self.base_url = base_url(settings)
        self._settings = settings
        self._client = sync_client(settings, max_retries=0)
        seconds = max(TRANSFER_SECONDS, settings.request_seconds)
        self._transfer = self._client.with_options(timeout=seconds)

    def upload(self, path: Path, name: str) -> str:
        """Upload a file of requests; its id."""

        def call() -> str:
            with path.open("rb") as content:
                file = (name, content, "application/jsonl")
                return _with_id(self._transfer.files.create(file=file, purpose="batch")).id

        return self._patiently("uploading a batch's file", call)

    def create(self, api_path: str, file_id: str, tag: str) -> Batch:
        """Create a batch, with a single request.

        MayExistError: it may be there all the same. EndpointAwayError: it is not, ask again
        later (429, no connection). Another EndpointError: it is not.
        """
        import httpx2
        from openai import APIConnectionError, APIStatusError

        try:
            batch = self._client.batches.create(
                completion_window="24h",
                endpoint=api_path,  # type: ignore[arg-type]  # a literal of all endpoints
                input_file_id=file_id,
                metadata={METADATA: tag},
            )
            return _with_id(batch)
        except APIConnectionError as error:
            words = self._words("creating a batch", error)
            if isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout):
                raise EndpointAwayError(words) from None  # nothing was sent
            raise MayExistError(words) from None
        except APIStatusError as error:
            words = self._words("creating a batch", error)
            if error.status_code >= 500 or error.status_code in (408, 409):
                raise MayExistError(words) from None
            if _may_pass(error):
                raise EndpointAwayError(words) from None
            raise EndpointError(words) from None
        except ValueError as error:  # a 200 that is not JSON
            raise MayExistError(self._words("creating a batch", error)) from None

    def find(self, tag: str, file_id: str, since: float) -> list[Batch]:
        """All batches made of one intent: by its tag, or by its file, which no other one has.

        since: seconds since 1970 before which it cannot have been created.
        """

        def call() -> list[Batch]:
            found = []
            for batch in self._client.batches.list(limit=100):  # newest first, page by page
                if batch.created_at < since - CLOCK_SECONDS:
                    break
                if (batch.metadata or {}).get(METADATA) == tag or batch.input_file_id == file_id:
                    found.append(batch)
            return found

        return self._patiently("listing batches", call)

    def retrieve(self, batch_id: str) -> Batch | None:
        """A batch as it is now; None where the endpoint does not know it."""
        return self._known(
            "reading a batch", lambda: _with_id(self._client.batches.retrieve(batch_id))
        )

    def cancel(self, batch_id: str) -> None:
        """Ask for a batch to be cancelled; nothing where that is no longer possible."""

        def call() -> object:
            return self._client.batches.cancel(batch_id)

        try:
            self._known("cancelling a batch", call)
        except EndpointError:
            return  # it has just ended

    def download(self, file_id: str, path: Path) -> bool:
        """Write a file's content to `path`; False where the endpoint does not have it any more."""

        def call() -> bool:
            files = self._transfer.files.with_streaming_response
            with files.content(file_id) as response:
                response.stream_to_file(path)
            return True

        return bool(self._known("downloading a batch's results", call))

    def delete_file(self, file_id: str) -> None:
        """Remove a file that has served. Only tidiness: whatever goes wrong is left so."""
        from openai import OpenAIError

        try:
            self._client.files.delete(file_id)
        except (OpenAIError, ValueError):
            return

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _known(self, what: str, call: Callable[[], T]) -> T | None:
        from openai import NotFoundError

        def known() -> T | None:
            try:
                return call()
            except NotFoundError:
                return None

        return self._patiently(what, known)

    def _patiently(self, what: str, call: Callable[[], T]) -> T:
        """Call until it goes well; EndpointAwayError after `TRIES`, EndpointError if refused."""
        import httpx2
        from openai import APIConnectionError, APIStatusError

        failed = 0
        while True:
            try:
                return call()
            except APIStatusError as error:
                if not _may_pass(error):
                    raise EndpointError(self._words(what, error)) from None
                problem: Exception = error
            # The last two: a body cut off in the middle, and one that is not what it should be.
            except (APIConnectionError, httpx2.TransportError, ValueError) as error:
                problem = error
            failed += 1
            if failed == TRIES:
                raise EndpointAwayError(self._words(what, problem))
            time.sleep(backoff(failed))

    def _words(self, what: str, error: Exception) -> str:
        from openai import APIConnectionError, NotFoundError

        reason = str(error) or type(error).__name__
        if isinstance(error, APIConnectionError) and error.__cause__ is not None:
            reason = str(error.__cause__) or type(error.__cause__).__name__
        text = f"{what} at {self.base_url}: {redact(reason, self._settings)}"
        if isinstance(error, NotFoundError):
            text += "; an endpoint without the Batch API is used online, without --batch"
        return text


def _with_id(value: T) -> T:
    """`value`, if it is an object of the API; ValueError for the page of some proxy."""
    if not isinstance(getattr(value, "id", None), str):
        raise ValueError(f"not a reply of this API: {str(value)[:200]!r}")
    return value


def _may_pass(error: APIStatusError) -> bool:
    """Whether the same call can go well later."""
    if error.status_code == 429:
        return getattr(error, "code", None) != "insufficient_quota"
    return error.status_code >= 500 or error.status_code in (408, 409)
