"""The files of the Batch API: one JSON line per request, one per result in any order."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from mgld.llm.images import data_url
from mgld.llm.request import Request
from mgld.llm.settings import Api
from mgld.llm.wire import PATHS, body

MAX_REQUESTS = 50_000
MAX_BYTES = 190_000_000
"""The endpoint takes 200 MB; whether it means 200e6 or 200 * 2**20 nobody need know."""


class Result(NamedTuple):
    """A line of an output or error file.

    http_status 0: the request was not run or got no reply; `reason` says why, after `code`.
    """

    key: str
    http_status: int
    raw: bytes
    code: str = ""
    reason: str = ""


class RequestFile:
    """Requests gathered for one batch, in a file that is removed on close. A context manager.

    Only the request at hand is in memory with its image: a full file is 190 MB.
    """

    def __init__(self, path: Path, model: str, api: Api) -> None:
        self.path = path
        self.model = model
        self.requests: list[Request] = []
        self.bytes = 0
        self._api = api
        self._ends: list[int] = []
        self._out = path.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close and remove the file."""
        self._out.close()
        self.path.unlink(missing_ok=True)

    def fits(self, request: Request, line: bytes) -> bool:
        """Whether the request can still go in: a file has one model, and its limits."""
        return (
            request.model == self.model
            and len(self.requests) < MAX_REQUESTS
            and self.bytes + len(line) <= MAX_BYTES
        )

    def add(self, request: Request, line: bytes) -> None:
        """Append a request's line."""
        self._out.write(line)
        self.bytes += len(line)
        self.requests.append(request)
        self._ends.append(self.bytes)

    def keep(self, wanted: Sequence[bool]) -> None:
        """Leave out the requests that are not `wanted`, and flush the rest to disk."""
        self._out.flush()
        if not all(wanted):
            self._rewrite(wanted)

    def _rewrite(self, wanted: Sequence[bool]) -> None:
        requests, ends = self.requests, self._ends
        self._out.close()
        kept = self.path.with_name(f"{self.path.name}.kept")
        self.requests, self._ends, self.bytes = [], [], 0
        with self.path.open("rb") as lines:
            self._out = kept.open("wb")
            for number, request in enumerate(requests):
                start = ends[number - 1] if number else 0
                line = lines.read(ends[number] - start)
                if wanted[number]:
                    self.add(request, line)
        kept.replace(self.path)  # stays open under its new name
        self._out.flush()

    def new_tag(self) -> str:
        """A name for the batch that no other batch has, not even of the same requests."""
        digest = sha256(secrets.token_bytes(16))
        for request in self.requests:
            digest.update(request.key.encode())
        return digest.hexdigest()[:40]


def request_line(request: Request, api: Api) -> bytes:
    """The line of one request; its image is read here.

    ValueError: no image that can be decoded, or too large for any file. OSError: the image cannot
    be read.
    """
    image = request.image
    url = None if image is None else data_url(image.read(), request.parameters)
    line = {
        "custom_id": request.key,
        "method": "POST",
        "url": f"/v1{PATHS[api]}",
        "body": body(request, url, api),
    }
    text = json.dumps(line, ensure_ascii=False).encode() + b"\n"
    if len(text) > MAX_BYTES:
        raise ValueError(f"with {len(text):,} bytes the request is too large for a batch")
    return text


def read_results(path: Path) -> Iterator[Result | None]:
    """The lines of a downloaded file in their order; None for one that cannot be read."""
    with path.open("rb") as lines:
        for line in lines:
            if line.strip():
                yield _result(line)


def _result(line: bytes) -> Result | None:
    try:
        row: Any = json.loads(line)
        key = row["custom_id"]
        response, error = row.get("response"), row.get("error")
        if not isinstance(key, str):
            return None
        if response and response.get("status_code"):
            raw = json.dumps(response["body"]).encode()
            return Result(key, int(response["status_code"]), raw)
        error = error if isinstance(error, dict) else {"message": str(error)}
        code = str(error.get("code") or "")
        return Result(key, 0, b"", code, str(error.get("message") or code or "no reason given"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
