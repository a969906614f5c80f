"""`mgld fetch`: Google Landmarks v2 from its published address into its own layout.

The metadata tables and the chosen train archives with their published md5. Running it again goes on
where it stopped; what is whole is left alone.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import mgld
from mgld.gldv2.download import (
    DiskError,
    Downloader,
    DownloadError,
    NotThereError,
    StoppedError,
    UnreachableError,
    file_md5,
)
from mgld.gldv2.progress import PlainProgress, Progress

BASE_URL = "https://s3.amazonaws.com/google-landmark"
TAR_COUNT = 500
REQUIRED_TABLES = ("train.csv", "train_label_to_category.csv")
OPTIONAL_TABLES = ("train_label_to_hierarchical.csv", "train_attribution.csv")
READ_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Fetched:
    """What became of one file. `path` is relative to the output folder.

    status: `downloaded`, `present` (it was whole already), `not_published` (an optional table that
    the server does not have), `failed`. `reason` explains, and is "" where there is nothing to say.
    """

    path: str
    status: Literal["downloaded", "present", "not_published", "failed"]
    reason: str = ""


def parse_tars(text: str) -> list[int]:
    """Archive numbers from `0-3,7`: [0, 1, 2, 3, 7], sorted, each once. Raises ValueError."""
    numbers: set[int] = set()
    for piece in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,3})(?:\s*-\s*(\d{1,3}))?\s*", piece, re.ASCII)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if not first <= last < TAR_COUNT:
            raise ValueError(
                f"{piece.strip()!r} is not an archive number or range from 0 to {TAR_COUNT - 1}: "
                "write for example 0-3,7"
            )
        numbers.update(range(first, last + 1))
    return sorted(numbers)


def fetch(
    out: str | Path,
    *,
    base_url: str = BASE_URL,
    metadata: bool = True,
    tars: Sequence[int] = (),
    jobs: int = 4,
    progress: Progress | None = None,
    backoff_s: float = 1.0,
) -> list[Fetched]:
    """Download into `out`: `metadata/*.csv`, `train/images_NNN.tar`, `md5sum/train/*.txt`.

    `jobs` files at a time. A file that fails is a row with a reason and does not hold up the
    others, except when the disk takes no more or no connection to the server ever comes about:
    then all stop. One row per file, in the order metadata, archives.

    Raises ValueError for a base address that is not http(s), BlockingIOError if another fetch is
    writing to `out`.
    """
    import filelock
    import httpx2

    url = httpx2.URL(base_url)
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise ValueError("the base address must be a plain http:// or https:// address")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    paths = [f"metadata/{name}" for name in (*REQUIRED_TABLES, *OPTIONAL_TABLES) if metadata]
    paths += [f"train/images_{number:03d}.tar" for number in tars]
    lock = filelock.FileLock(out / ".fetch.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise BlockingIOError(f"another `mgld fetch` is writing to {out}") from error
    with (
        lock,
        httpx2.Client(
            timeout=httpx2.Timeout(READ_TIMEOUT_S),
            limits=httpx2.Limits(max_connections=jobs),
            headers={"User-Agent": f"mgld/{mgld.__version__}"},
        ) as client,
        ThreadPoolExecutor(jobs) as pool,
    ):
        downloader = Downloader(
            client, base_url, progress or PlainProgress(), stop, backoff_s=backoff_s
        )
        futures = {pool.submit(_fetch_one, downloader, out, path): path for path in paths}
        results: dict[str, Fetched] = {}
        try:
            for future in as_completed(futures):
                result = future.result()
                results[result.path] = result
        finally:
            # Ctrl-C, or a bug: threads stop at their next chunk, what they have stays as `.part`.
            stop.set()
            for future in futures:
                future.cancel()
    return [results[path] for path in paths]


def _fetch_one(downloader: Downloader, out: Path, path: str) -> Fetched:
    """One file, its failure as a row."""
    try:
        if downloader.stop.is_set():
            raise StoppedError(f"{path}: not started")
        is_tar = path.endswith(".tar")
        result = (_fetch_tar if is_tar else _fetch_table)(downloader, out, path)
    except DownloadError as error:
        if isinstance(error, DiskError | UnreachableError):
            downloader.stop.set()
        result = Fetched(path, "failed", str(error))
    words = [result.status.replace("_", " "), path if path not in result.reason else ""]
    text = " ".join(word for word in words if word)
    downloader.progress.line(f"{text}: {result.reason}" if result.reason else text)
    return result


def _fetch_table(downloader: Downloader, out: Path, path: str) -> Fetched:
    if (out / path).exists():
        return Fetched(path, "present")
    try:
        downloader.download(path, out / path)
    except NotThereError as error:
        if Path(path).name in OPTIONAL_TABLES:
            return Fetched(path, "not_published", str(error))
        raise
    return Fetched(path, "downloaded")


def _fetch_tar(downloader: Downloader, out: Path, path: str) -> Fetched:
    target = out / path
    md5_path = f"md5sum/train/md5.{target.stem}.txt"
    md5_file = out / md5_path
    if target.exists() and md5_file.exists() and file_md5(target) == _published_md5(md5_file):
        return Fetched(path, "present")
    try:
        downloader.download(md5_path, md5_file)
    except NotThereError:
        md5, note = None, "no md5 is published: only its size was checked"
    else:
        md5, note = _published_md5(md5_file), ""
    if target.exists() and (md5 is None or file_md5(target) == md5):
        return Fetched(path, "present", note)
    downloader.download(path, target, md5)
    return Fetched(path, "downloaded", note)


def _published_md5(path: Path) -> str:
    """The digest in an md5sum file (`<32 hex digits>  <name>`)."""
    words = path.read_text(encoding="utf-8", errors="replace").split()
    if not words or not re.fullmatch(r"[0-9a-fA-F]{32}", words[0]):
        path.unlink()
        raise DownloadError(f"{path.name} does not start with an md5; it was removed, run again")
    return words[0].lower()
