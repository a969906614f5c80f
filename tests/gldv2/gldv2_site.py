"""A loopback file server that misbehaves on demand."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Fault:
    """What one request gets instead of a proper answer."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    drop_after: int | None = None
    """Close the connection after so many bytes of the body."""
    body: bytes | None = None
    """Serve these bytes instead of the file's."""
    ignore_range: bool = False
    ignore_if_range: bool = False
    framing: str = "length"
    """How the end of the body is told: length, chunked, or close (by the connection only)."""
    shift: int = 0
    """Answer a Range request from this many bytes further on."""


class Site:
    """Files by path, faults by path (one per request, in order), and a log of the requests."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.log: list[tuple[str, str | None, int]] = []
        self.etags = True
        self.bytes_per_second: float | None = None
        self.most_busy = 0
        """The most requests answered at one time."""
        self._busy = 0
        self._lock = threading.Lock()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                with site._lock:
                    site._busy += 1
                    site.most_busy = max(site.most_busy, site._busy)
                try:
                    site.answer(self)
                finally:
                    with site._lock:
                        site._busy -= 1

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/gld"

    def add_tar(self, number: int, data: bytes) -> None:
        self.files[f"train/images_{number:03d}.tar"] = data
        line = f"{hashlib.md5(data).hexdigest()}  images_{number:03d}.tar\n"
        self.files[f"md5sum/train/md5.images_{number:03d}.txt"] = line.encode()

    def requests(self, path: str) -> list[tuple[str | None, int]]:
        """(Range header, status) of each request of `path`."""
        return [(wanted, status) for name, wanted, status in self.log if name == path]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.removeprefix("/gld/")
        wanted = request.headers["Range"]
        fault = self.faults[path].pop(0) if self.faults[path] else Fault()
        data = fault.body if fault.body is not None else self.files.get(path)
        headers = dict(fault.headers)
        status = fault.status or (404 if data is None else 200)
        body = b"no" if status != 200 or data is None else data
        if status == 200 and data is not None:
            etag = f'"{hashlib.sha1(data).hexdigest()}"'
            if self.etags:
                headers.setdefault("ETag", etag)
            same = request.headers["If-Range"] in (None, headers.get("ETag"))
            same = same or fault.ignore_if_range
            if wanted and same and not fault.ignore_range:
                start = int(wanted.removeprefix("bytes=").rstrip("-")) + fault.shift
                status = 206 if start < len(data) else 416
                body = data[start:]
                span = f"{start}-{len(data) - 1}" if body else "*"
                headers["Content-Range"] = f"bytes {span}/{len(data)}"
        self.log.append((path, wanted, status))
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        if fault.framing == "length":
            request.send_header("Content-Length", str(len(body)))
        elif fault.framing == "chunked":
            request.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        request.end_headers()
        end = len(body) if fault.drop_after is None else fault.drop_after
        try:
            step = 16384 if self.bytes_per_second else max(end, 1)
            for at in range(0, end, step):
                request.wfile.write(body[at : min(at + step, end)])
                if self.bytes_per_second:
                    time.sleep(step / self.bytes_per_second)
        except (BrokenPipeError, ConnectionResetError):
            request.close_connection = True  # the client was killed or gave up
        if fault.drop_after is not None or fault.framing == "close":
            request.close_connection = True
