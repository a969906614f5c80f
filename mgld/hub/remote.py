"""A dataset repository on the Hub, and patience with it.

The library retries uploads and downloads by itself, but neither commits nor what is asked of
branches and tags: a commit whose answer was lost may have been made. So every step here looks at
the repository first and does what is still missing, and `patiently` simply takes the step again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from mgld.hub.publish import PublishedFile

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")

WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0, 60.0)
"""Seconds between the attempts at one step."""
TRANSIENT = {408, 412, 425, 429, 500, 502, 503, 504}
"""Statuses worth another attempt. 412: someone committed in between; the step looks again."""
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN to a token that may write"


@dataclass(frozen=True)
class RemoteFile:
    """A file as the Hub states it: `sha256` for a large file (LFS), else None; git's `oid`."""

    path: str
    size: int
    oid: str
    sha256: str | None

    def same(self, file: PublishedFile) -> bool:
        """Whether it has the content of `file`."""
        if self.sha256 is not None:
            return self.sha256 == file.sha256
        return self.size == file.size and self.oid == file.git_oid


class RemoteRepo:
    """A dataset repository. `api` is the library's; ValueError where `name` is no Hub id."""

    def __init__(self, name: str) -> None:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils._validators import validate_repo_id

        if name.count("/") != 1:
            raise ValueError(f"{name!r} is no Hub id: give OWNER/NAME")
        try:
            validate_repo_id(name)
        except HFValidationError as error:
            raise ValueError(f"{name!r} is no Hub id: {error}") from error
        self.name = name
        self.api: HfApi = HfApi()

    def sha(self, revision: str) -> str | None:
        """The commit of a branch, a tag or a commit; None where the repository has none such."""
        from huggingface_hub.errors import RevisionNotFoundError

        try:
            info = self.api.dataset_info(self.name, revision=revision)
        except RevisionNotFoundError:
            return None
        return str(info.sha)

    def files(self, sha: str) -> dict[str, RemoteFile]:
        """Path -> file at a commit."""
        from huggingface_hub import RepoFile

        found = self.api.list_repo_tree(
            self.name, repo_type="dataset", revision=sha, recursive=True
        )
        return {
            each.path: RemoteFile(
                each.path, each.size, each.blob_id, each.lfs.sha256 if each.lfs else None
            )
            for each in found
            if isinstance(each, RepoFile)
        }


def patiently(step: Callable[[], T], note: Callable[[str], None]) -> T:
    """Take a step that looks before it acts, again and again while the Hub is only unwell.

    ConnectionError after the last attempt; PermissionError where the Hub does not let us;
    FileNotFoundError where there is no such repository. Other errors as they are.
    """
    for wait in (*WAITS, None):
        try:
            return step()
        except Exception as error:
            cause = _cause(error)
            if (reason := _passing(cause)) is None:
                _raise_clearly(cause)
                raise
            if wait is None:
                raise ConnectionError(
                    f"the Hub failed {len(WAITS) + 1} times ({reason}); what is uploaded stays "
                    "there: run the same command again to go on"
                ) from error
            asked = _asked_to_wait(cause)
            wait = wait if asked is None else max(asked, 0.05)
            note(f"the Hub: {reason}; trying again in {wait:g} s")
            time.sleep(wait)
    raise AssertionError("unreachable")


def _cause(error: Exception) -> BaseException:
    """What happened at first: uploads by threads wrap it into a RuntimeError."""
    return error.__cause__ if type(error) is RuntimeError and error.__cause__ else error


def _passing(error: BaseException) -> str | None:
    """A few words for an error that may be gone the next time, else None."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        words = {412: "another commit came in between", 429: "too many requests"}
        return words.get(status, f"status {status}") if status in TRANSIENT else None
    if isinstance(error, httpx2.TransportError | ConnectionError):
        return f"connection lost ({type(error).__name__})"
    return None


def _asked_to_wait(error: BaseException) -> float | None:
    from huggingface_hub.errors import HfHubHTTPError

    if not isinstance(error, HfHubHTTPError):
        return None
    if error.response.status_code == 412:
        return 0.0
    stated = error.response.headers.get("Retry-After", "")
    return float(stated) if stated.isdigit() else None


def _raise_clearly(error: BaseException) -> None:
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    if isinstance(error, RepositoryNotFoundError):
        raise FileNotFoundError(
            f"no such dataset on the Hub, or it is private and you are not its reader: {LOG_IN}"
        ) from error
    if isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403):
        raise PermissionError(f"the Hub does not let you: {LOG_IN}") from error
