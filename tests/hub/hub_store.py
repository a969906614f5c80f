"""Repositories of the loopback Hub: commits, branches, tags, pull requests, files. In memory."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from itertools import count
from typing import Any

WHEN = "2026-01-01T00:00:00.000Z"


class HubError(Exception):
    """What the Hub answers instead: an HTTP status, its X-Error-Code and a message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True)
class Blob:
    """A file's bytes; `lfs` is its SHA-256 where it is stored as a large file."""

    data: bytes
    lfs: str | None = None

    @property
    def oid(self) -> str:
        """Git's name: of the content, or of the pointer to the large file."""
        content = self.data
        if self.lfs is not None:
            content = (
                "version https://git-lfs.github.com/spec/v1\n"
                f"oid sha256:{self.lfs}\nsize {len(self.data)}\n"
            ).encode()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    @property
    def etag(self) -> str:
        return self.lfs or self.oid


@dataclass(frozen=True)
class Commit:
    sha: str
    parent: str | None
    title: str
    files: dict[str, Blob]


@dataclass
class PullRequest:
    number: int
    title: str
    description: str
    status: str = "draft"
    merged_as: str | None = None
    comments: list[str] = field(default_factory=list)


_serial = count(1)


class Repo:
    """One repository. `history` names, per ref, every commit it ever pointed at, oldest first."""

    def __init__(self, kind: str, name: str, private: bool) -> None:
        self.kind, self.name, self.private = kind, name, private
        self.commits: dict[str, Commit] = {}
        self.refs: dict[str, str] = {}
        self.history: dict[str, list[str]] = {}
        self.pulls: dict[int, PullRequest] = {}
        attributes = Blob(b"*.parquet filter=lfs diff=lfs merge=lfs -text\n")
        self._point(
            "refs/heads/main", self._add(None, "initial commit", {".gitattributes": attributes})
        )

    def _add(self, parent: str | None, title: str, files: dict[str, Blob]) -> str:
        sha = hashlib.sha1(f"{self.name} {parent} {title} {next(_serial)}".encode()).hexdigest()
        self.commits[sha] = Commit(sha, parent, title, files)
        return sha

    def _point(self, ref: str, sha: str) -> None:
        self.refs[ref] = sha
        self.history.setdefault(ref, []).append(sha)

    def resolve(self, revision: str) -> Commit:
        for ref in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
            if ref in self.refs:
                return self.commits[self.refs[ref]]
        if revision in self.commits:
            return self.commits[revision]
        raise HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """Path -> bytes at a revision; what tests look at."""
        return {path: blob.data for path, blob in self.resolve(revision).files.items()}

    def trees(self, branch: str = "main") -> list[dict[str, bytes]]:
        """The files of every state that a reader of the branch could ever have seen."""
        return [self.files(sha) for sha in self.history[f"refs/heads/{branch}"]]

    def branch(self, name: str, start: str) -> None:
        ref = f"refs/heads/{name}"
        if ref in self.refs:
            raise HubError(409, "Conflict", f"Reference already exists: {name}")
        self._point(ref, self.resolve(start).sha)

    def tag(self, name: str, revision: str) -> None:
        ref = f"refs/tags/{name}"
        if ref in self.refs:
            raise HubError(409, "Conflict", f"Tag reference exists already: {name}")
        self._point(ref, self.resolve(revision).sha)

    def remove_ref(self, ref: str) -> None:
        if ref == "refs/heads/main":
            raise HubError(403, "Forbidden", "main cannot be deleted")
        if self.refs.pop(ref, None) is None:
            raise HubError(404, "RevisionNotFound", f"no such reference: {ref}")

    def pull(self, title: str, description: str) -> PullRequest:
        pull = PullRequest(len(self.pulls) + 1, title, description)
        self.pulls[pull.number] = pull
        self._point(f"refs/pr/{pull.number}", self.refs["refs/heads/main"])
        return pull

    def merge(self, number: int) -> None:
        """Merge a pull request: what it changed since it left main, in one commit."""
        pull, head = self.pulls[number], self.resolve(f"refs/pr/{number}")
        if pull.status not in ("open", "draft"):
            raise HubError(400, "BadRequest", f"pull request {number} is {pull.status}")
        base = self.commits[self.history[f"refs/pr/{number}"][0]].files
        files = dict(self.resolve("main").files)
        for path in base.keys() | head.files.keys():
            if base.get(path) != head.files.get(path):
                files.pop(path, None)
                if path in head.files:
                    files[path] = head.files[path]
        pull.merged_as = self._add(self.refs["refs/heads/main"], pull.title, files)
        pull.status = "merged"
        self._point("refs/heads/main", pull.merged_as)

    def commit(self, revision: str, changes: list[dict[str, Any]], blobs: dict[str, bytes]) -> str:
        """Apply a commit's lines (header first) to a branch or pull request; returns its sha."""
        ref = revision if revision.startswith("refs/") else f"refs/heads/{revision}"
        if ref not in self.refs:
            raise HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        head = self.refs[ref]
        header = changes[0]["value"]
        parent = header.get("parentCommit")
        if parent and not head.startswith(parent):
            raise HubError(412, "PreconditionFailed", "A commit has happened since. Please refresh")
        files = dict(self.commits[head].files)
        for line in changes[1:]:
            key, value = line["key"], line["value"]
            path = value["path"]
            if key == "file":
                files[path] = Blob(base64.b64decode(value["content"]))
            elif key == "lfsFile":
                if value["oid"] not in blobs:
                    raise HubError(400, "BadRequest", f"LFS object {value['oid']} was not uploaded")
                files[path] = Blob(blobs[value["oid"]], value["oid"])
            elif key == "deletedFile":
                if files.pop(path, None) is None:
                    raise HubError(404, "EntryNotFound", "A file with this name doesn't exist")
            elif key == "deletedFolder":
                inside = [each for each in files if each.startswith(path.rstrip("/") + "/")]
                if not inside:
                    raise HubError(404, "EntryNotFound", "A file with this name doesn't exist")
                for each in inside:
                    del files[each]
            else:
                raise HubError(400, "BadRequest", f"unknown line {key}")
        sha = self._add(head, header["summary"], files)
        self._point(ref, sha)
        return sha
