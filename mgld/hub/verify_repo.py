"""Checking a published dataset: every file against `SHA256SUMS`, and the card against the files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from mgld.hub.card import read_metadata
from mgld.hub.export import CARD
from mgld.hub.publish import ATTRIBUTION, EVAL, SUMS, is_ours
from mgld.hub.remote import RemoteFile, RemoteRepo, patiently
from mgld.schema import Record

CHUNK_BYTES = 1 << 20


class BadRepoFile(Record):
    """A file of a published dataset that is not what it should be."""

    file: str
    problem: str


class RepoVerification(Record):
    """`commit` of `repo` was checked; `ok` if none of its `files` is `bad`.

    `downloaded`: whether large files were read, or the Hub's word on their hashes taken.
    """

    repo: str
    commit: str
    ok: bool
    files: int
    downloaded: bool
    bad: list[BadRepoFile]


def verify_repo(
    repo: str,
    revision: str = "main",
    *,
    download: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> RepoVerification:
    """Check the dataset `repo` at a tag, branch or commit.

    Small files are read. Of large ones the SHA-256 is compared that the Hub states, which stores
    them by it; with `download` every byte is read. Only a commit that is known from elsewhere tells
    a dataset from a whole forgery: `SHA256SUMS` lies beside the files.

    Args:
        repo: the dataset, OWNER/NAME.
        revision: a tag, a branch or a commit.
        download: read large files, too.
        note: told in a line where the Hub is asked again.

    Returns:
        The commit that was checked, and each file that is not what it should be.

    Raises:
        FileNotFoundError: no such dataset or revision.
        PermissionError: the Hub does not let us.
        ConnectionError: the Hub does not answer.
    """
    remote = RemoteRepo(repo)
    commit = patiently(lambda: remote.sha(revision), note)
    if commit is None:
        raise FileNotFoundError(f"{repo} has no revision {revision}")
    there = patiently(lambda: remote.files(commit), note)
    bad: list[BadRepoFile] = []

    def read(path: str) -> bytes | None:
        """A small file; None, and it is said, where it is not there."""
        if path not in there:
            bad.append(BadRepoFile(file=path, problem="missing"))
            return None
        return patiently(lambda: b"".join(_chunks(remote, path, commit)), note)

    sums, card = _read_sums(read(SUMS) or b"", bad), read(CARD)
    for path in (CARD, ATTRIBUTION, EVAL):
        if sums and path not in sums:
            bad.append(BadRepoFile(file=path, problem=f"not in {SUMS}"))
    for path, expected in sorted(sums.items()):
        if path not in there:
            bad.append(BadRepoFile(file=path, problem="missing"))
            continue
        found = patiently(lambda path=path: _sha256(remote, there[path], commit, download), note)  # type: ignore[misc]
        if found != expected:
            bad.append(BadRepoFile(file=path, problem=f"changed: its hash is not that of {SUMS}"))
        note(f"{path}: {'as it should be' if found == expected else 'changed'}")
    for path in sorted(there):
        if is_ours(path) and path not in sums and path != SUMS:
            bad.append(BadRepoFile(file=path, problem=f"not in {SUMS}"))
    if card is not None and sums:
        bad += _check_card(card, sums)
    unique = list({(each.file, each.problem): each for each in bad}.values())
    return RepoVerification(
        repo=repo,
        commit=commit,
        ok=not unique,
        files=len(sums) + 1,
        downloaded=download,
        bad=unique,
    )


def _sha256(remote: RemoteRepo, file: RemoteFile, commit: str, download: bool) -> str:
    if file.sha256 is not None and not download:
        return file.sha256
    result = hashlib.sha256()
    for chunk in _chunks(remote, file.path, commit):
        result.update(chunk)
    return result.hexdigest()


def _chunks(remote: RemoteRepo, path: str, commit: str) -> Iterator[bytes]:
    """A file as the Hub gives it now: not cached, and streamed, as a dataset need not fit here."""
    from huggingface_hub import HfFileSystem

    files = HfFileSystem(endpoint=remote.api.endpoint, skip_instance_cache=True)
    with files.open(f"datasets/{remote.name}@{commit}/{path}", "rb") as handle:
        while chunk := handle.read(CHUNK_BYTES):
            yield chunk


def _read_sums(content: bytes, bad: list[BadRepoFile]) -> dict[str, str]:
    """Path -> SHA-256, as `sha256sum` writes it."""
    sums = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        found = re.fullmatch(r"([0-9a-f]{64})  (\S.*)", line)
        if found is None:
            bad.append(BadRepoFile(file=SUMS, problem=f"line {number} is no hash and path"))
        else:
            sums[found[2]] = found[1]
    return sums


def _check_card(card: bytes, sums: dict[str, str]) -> list[BadRepoFile]:
    """What the card says of its configs' files against the hashes of these."""
    try:
        metadata: dict[str, Any] = read_metadata(card.decode("utf-8"))
    except ValueError as error:
        return [BadRepoFile(file=CARD, problem=str(error))]
    bad = []
    for config in metadata["configs"]:
        paths = {path for of_split in config["data_files"] for path in of_split["path"]}
        for path in sorted(paths - sums.keys()):
            problem = f"config {config['config_name']} names {path}, which is not in {SUMS}"
            bad.append(BadRepoFile(file=CARD, problem=problem))
        content = "".join(sums.get(path, "") for path in sorted(paths)).encode()
        stated = f"Content sha256:{hashlib.sha256(content).hexdigest()}"
        if config.get("description") != stated:
            problem = f"config {config['config_name']} states another content hash than its files'"
            bad.append(BadRepoFile(file=CARD, problem=problem))
    return bad
