"""One file over HTTP: resumed with Range, retried, checked, and renamed only when it is whole.

While it grows it is `NAME.part`, with `NAME.part.json` beside it saying which version of the file
on the server the bytes are of. Bytes of two versions are never joined: If-Range makes the server
start again if the file changed, and total size and ETag are compared as well.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import random
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mgld.files import write_text_atomically

if TYPE_CHECKING:
    import httpx2

    from mgld.gldv2.progress import Progress

MAX_REDIRECTS = 5
# Tries where the server has never answered: an outage is waited out, a wrong address is not.
FIRST_TRIES = 3
MAX_WAIT_S = 300.0
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class DownloadError(Exception):
    """A file that could not be had. The text says why and what to do; it holds no secrets."""


class NotThereError(DownloadError):
    """The server says that there is no such file."""


class DiskError(DownloadError):
    """The disk did not take the bytes: no use in going on with other files either."""


class UnreachableError(DownloadError):
    """No connection to the server ever came about: no use in going on with other files either."""


class StoppedError(DownloadError):
    """The download was asked to stop (Ctrl-C, a DiskError or an UnreachableError of another)."""


class _TransientError(Exception):
    """Worth another try. `wait_s`: what the server asked for, None if nothing."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class _NoConnectionError(_TransientError):
    """No connection to the server came about: unknown name, refused, or no answer."""


@dataclass(frozen=True)
class Version:
    """Which version of the server's file bytes are of; None where the server does not say."""

    url: str
    etag: str | None
    modified: str | None
    total: int | None

    @property
    def validator(self) -> str | None:
        """What to send as If-Range. Weak ETags do not promise equal bytes."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.modified


@dataclass(frozen=True)
class Downloader:
    """Downloads files from one base address; safe to share between threads.

    `retries`: tries in a row that bring no new bytes before a file is given up. `backoff_s`: the
    first pause between tries; it doubles up to 30 s, times a random factor of 0.5 to 1.5.
    `reached`: set as soon as the server has answered anything.
    """

    client: httpx2.Client
    base_url: str
    progress: Progress
    stop: threading.Event
    retries: int = 6
    backoff_s: float = 1.0
    reached: threading.Event = field(default_factory=threading.Event)

    def download(self, path: str, target: Path, md5: str | None = None) -> None:
        """Fetch `base_url/path` to `target`, going on from an earlier `.part` if there is one.

        `md5`: hex digest the whole file must have. Raises DownloadError.
        """
        url = f"{self.base_url.rstrip('/')}/{path}"
        part = target.with_name(f"{target.name}.part")
        target.parent.mkdir(parents=True, exist_ok=True)
        failures = mismatches = 0
        while True:
            before = _size(part)
            try:
                self._attempt(url, part, target.name)
                if md5 is None or file_md5(part) == md5:
                    part.replace(target)
                    _state(part).unlink(missing_ok=True)
                    return
                # Wrong bytes somewhere in it: nothing of the part can be trusted.
                _discard(part)
                mismatches += 1
                if mismatches > 1:
                    raise DownloadError(
                        f"{path}: md5 is not the published {md5}, twice over; nothing was kept"
                    )
                self.progress.line(f"{path}: md5 differs from the published one, starting again")
            except _TransientError as error:
                failures = 0 if _size(part) > before else failures
                failures += 1
                never = isinstance(error, _NoConnectionError) and not self.reached.is_set()
                if never and failures >= FIRST_TRIES:
                    raise UnreachableError(
                        f"{path}: {error}; gave up after {failures} tries. Is this machine online, "
                        "and the address right?"
                    ) from error
                if failures > self.retries:
                    raise DownloadError(
                        f"{path}: {error}; gave up after {failures} tries"
                    ) from error
                wait = error.wait_s if error.wait_s is not None else self._backoff(failures)
                if wait > MAX_WAIT_S:
                    raise DownloadError(f"{path}: the server asks to wait {wait:.0f} s") from error
                self.progress.line(f"{path}: {error}; again in {wait:.1f} s")
                if self.stop.wait(wait):
                    raise StoppedError(f"{path}: stopped") from error

    def _backoff(self, failures: int) -> float:
        # Jitter keeps parallel files from coming back all at once; it decides no result.
        return min(30.0, self.backoff_s * 2.0 ** (failures - 1)) * random.uniform(0.5, 1.5)

    def _attempt(self, url: str, part: Path, name: str) -> None:
        """Bring `part` to its full size, or raise _TransientError with what came so far kept."""
        import httpx2

        have = _read_state(part, url)
        headers = {"Accept-Encoding": "identity"}
        start = _size(part)
        if have is None or have.validator is None:
            start = 0  # nothing proves that what is there belongs to what would follow
        elif start:
            headers |= {"Range": f"bytes={start}-", "If-Range": have.validator}
        try:
            with self._open(url, headers) as response:
                code = response.status_code
                if code in TRANSIENT:
                    wait = _retry_after(response.headers.get("Retry-After"))
                    raise _TransientError(f"the server answered {code}", wait)
                if code == 416:
                    # Either it is all there, or it is not of this file: the size tells.
                    if have is not None and start and start == have.total:
                        return
                    _discard(part)
                    raise _TransientError("the file on the server changed", 0.0)
                if code in (404, 410):
                    raise NotThereError(f"{shown(url)}: the server answered {code}, not there")
                if code not in (200, 206):
                    raise DownloadError(f"{shown(url)}: the server answered {code}")
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise DownloadError(f"{shown(url)}: the server sent it compressed, unasked")
                version = _version(url, response)
                chunked = response.headers.get("Transfer-Encoding", "").lower() == "chunked"
                if version.total is None and not chunked:
                    # The end of the connection would look like the end of the file.
                    raise DownloadError(f"{shown(url)}: the server does not say how long it is")
                if code == 206:
                    self._check_range(response, start, have, version, part)
                else:
                    start = 0
                self._receive(response, part, start, version, name)
        except httpx2.InvalidURL as error:
            raise DownloadError(f"{shown(url)}: redirected to an invalid address") from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            host, why = error.request.url.host, str(error) or "no answer"
            raise _NoConnectionError(f"cannot connect to {host} ({why})") from error
        except httpx2.TimeoutException as error:
            raise _TransientError("the server went silent") from error
        except httpx2.TransportError as error:
            raise _TransientError(f"connection lost ({type(error).__name__})") from error

    def _check_range(
        self,
        response: httpx2.Response,
        start: int,
        have: Version | None,
        now: Version,
        part: Path,
    ) -> None:
        """A 206 must continue exactly what is there; otherwise start again."""
        match = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        same = have is not None and (have.validator, have.total) == (now.validator, now.total)
        if match is None or int(match[1]) != start or not same:
            _discard(part)
            raise _TransientError("the server sent another part, or the file changed", 0.0)

    def _receive(
        self, response: httpx2.Response, part: Path, start: int, version: Version, name: str
    ) -> None:
        done = start
        with _disk_errors(part), part.open("r+b" if start else "wb") as handle:
            handle.seek(start)
            if not start:
                write_text_atomically(_state(part), json.dumps(version.__dict__))
            # No chunk size: httpx would hold back bytes until a chunk is full, and lose them when
            # the connection drops.
            for chunk in response.iter_raw():
                handle.write(chunk)
                done += len(chunk)
                self.progress.size(name, done, version.total)
                if self.stop.is_set():
                    raise StoppedError(f"{name}: stopped")
            # On disk before it is renamed: a power cut must not leave a whole name on half a file.
            handle.flush()
            os.fsync(handle.fileno())
        if version.total is not None and done != version.total:
            raise _TransientError(f"{done} of {version.total} bytes came")

    @contextmanager
    def _open(self, url: str, headers: dict[str, str]) -> Iterator[httpx2.Response]:
        """A streamed GET. Redirects are followed by hand, to check where each one leads."""
        for _ in range(MAX_REDIRECTS + 1):
            with self.client.stream("GET", url, headers=headers) as response:
                self.reached.set()
                if not response.has_redirect_location:
                    yield response
                    return
                url = str(response.url.join(response.headers["Location"]))
                self.check_redirect(url)
        raise DownloadError(f"{shown(url)}: more than {MAX_REDIRECTS} redirects")

    def check_redirect(self, url: str) -> None:
        """Refuse a redirect to a private address, so that no server can point us inside.

        The host the user gave is exempt, with its port. Every address the name has now is looked
        at; the connection that follows resolves it again. Raises DownloadError.
        """
        import httpx2

        here, base = httpx2.URL(url), httpx2.URL(self.base_url)
        if here.scheme not in ("http", "https") or (base.scheme, here.scheme) == ("https", "http"):
            raise DownloadError(f"redirect to {shown(url)} refused: not a safe address")
        default = {"http": 80, "https": 443}
        if (here.host, here.port or default[here.scheme]) == (
            base.host,
            base.port or default[base.scheme],
        ):
            return
        try:
            found = socket.getaddrinfo(here.host, here.port or 443, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise _TransientError(f"redirect to {shown(url)}: unknown host") from error
        for *_, address in found:
            if not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_global:
                raise DownloadError(f"redirect to {shown(url)} refused: a private address")


def shown(url: str) -> str:
    """`url` without user, password and query, which may be secrets."""
    import httpx2

    return str(httpx2.URL(url).copy_with(userinfo=b"", query=None, fragment=None))


def _version(url: str, response: httpx2.Response) -> Version:
    headers = response.headers
    if match := CONTENT_RANGE.fullmatch(headers.get("Content-Range", "")):
        total: int | None = int(match[2])
    else:
        total = int(headers["Content-Length"]) if "Content-Length" in headers else None
    # The address asked for, not the one redirected to: that may differ each time.
    return Version(shown(url), headers.get("ETag"), headers.get("Last-Modified"), total)


def _state(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_state(part: Path, url: str) -> Version | None:
    """The version the bytes in `part` are of; None if that is not known."""
    with suppress(FileNotFoundError, ValueError, TypeError):
        version = Version(**json.loads(_state(part).read_text(encoding="utf-8")))
        if version.url == shown(url):
            return version
    return None


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _state(part).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def file_md5(path: Path) -> str:
    """Hex MD5 of a file: what Google publishes, a check against accidents and not attacks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _retry_after(header: str | None) -> float | None:
    """Seconds to wait by a Retry-After header (a number or a date); None if there is none."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


@contextmanager
def _disk_errors(part: Path) -> Iterator[None]:
    """An OSError of the disk (full, quota, file size limit) says what is kept and what to do."""
    try:
        yield
    except OSError as error:
        raise DiskError(
            f"cannot write {part}: {error.strerror or error}. {_size(part)} bytes are kept; "
            "free some space and run the same command again"
        ) from error
