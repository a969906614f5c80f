"""Publishing a build on the Hub so that its readers never see half of it.

The files go to a branch named by their content, are checked and loaded back there, and are then
copied to main in one commit, which is tagged. A push that was killed is simply run again: each step
looks at the repository first, and only what is missing is uploaded.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mgld.hub.load_back import load_back
from mgld.hub.publish import Publication, PublishedFile, is_ours, prepare
from mgld.hub.remote import LOG_IN, RemoteRepo, patiently
from mgld.schema import Record

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete

WORK_FOLDER = ".publish"
COMMIT_FILES, COMMIT_BYTES = 25, 2_000_000_000
"""A commit on the branch is made after so much, so that a kill costs no more than that."""


class Pushed(Record):
    """What a push came to. `commit`: the state of main that is this dataset.

    `uploaded`: files that were sent this time; `withheld`: images left out for want of a licence or
    an author.
    """

    repo: str
    commit: str
    tag: str | None
    files: int
    uploaded: int
    withheld: int


def push_dataset(
    build: str | Path,
    repo: str,
    *,
    private: bool = False,
    tag: str | None = None,
    withhold_images: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> Pushed:
    """Publish a finished build as the dataset `repo` (OWNER/NAME) on the Hub.

    The files go to a branch, are loaded back from there, and become main in one commit. HF_TOKEN
    or `hf auth login` says who publishes.

    Args:
        build: a build folder.
        repo: the dataset repository, made where it is not there.
        private: make a new repository private; an existing public one is refused.
        tag: a name of this version, e.g. v1.0.0.
        withhold_images: publish rows that lack a licence or an author without their images.
        note: told of every step in a line.

    Returns:
        The commit of main that is this dataset, and what was sent and withheld.

    Raises:
        ValueError: rows lack a licence or an author (the message lists them), the build is not
            finished, or `tag` names another dataset.
        FileNotFoundError: no build.
        PermissionError: the Hub does not let us.
        ConnectionError: the Hub does not answer; the same call goes on.
    """
    from mgld.build.folder import locked
    from mgld.build.read import BuildView

    view, remote = BuildView(build), RemoteRepo(repo)
    _check_tag_name(tag)
    with locked(view.root):
        work = view.root / WORK_FOLDER
        publication = prepare(view, repo, work, withhold_images=withhold_images)
        note(f"{len(publication.files)} files, {publication.withheld:,} images withheld")
        pushed = _Push(remote, publication, note).run(private=private, tag=tag)
        shutil.rmtree(work)
    return pushed


class _Push:
    """One publication on its way to one repository."""

    def __init__(
        self, remote: RemoteRepo, publication: Publication, note: Callable[[str], None]
    ) -> None:
        self.remote, self.publication, self.note = remote, publication, note
        self.api, self.name = remote.api, remote.name
        self.branch = f"mgld-push-{publication.digest[:16]}"
        self.uploaded = 0

    def run(self, *, private: bool, tag: str | None) -> Pushed:
        patiently(lambda: self._open(private), self.note)
        if tag is not None:
            patiently(lambda: self._refuse_other(tag), self.note)
        commit = patiently(self._published, self.note)
        if commit is None:
            built = self._build_branch()
            patiently(lambda: load_back(self.name, built, self.publication), self.note)
            self.note("loaded back from the branch: complete")
            commit = patiently(lambda: self._promote(built), self.note)
            self.note(f"main is now {commit}")
        if tag is not None:
            patiently(lambda: self._tag(tag, commit), self.note)
        patiently(self._drop_branch, self.note)
        return Pushed(
            repo=self.name,
            commit=commit,
            tag=tag,
            files=len(self.publication.files),
            uploaded=self.uploaded,
            withheld=self.publication.withheld,
        )

    def _open(self, private: bool) -> None:
        """Make the repository where there is none; refuse a public one that should be private."""
        from huggingface_hub import get_token

        if get_token() is None:
            raise PermissionError(f"no token for the Hub: {LOG_IN}")
        self.api.create_repo(self.name, repo_type="dataset", private=private or None, exist_ok=True)
        if private and not self.api.dataset_info(self.name).private:
            raise ValueError(f"{self.name} exists and is public: --private would not make it so")

    def _published(self) -> str | None:
        """The head of main where it is this dataset already, else None."""
        head = self._head("main")
        return None if any(self._difference(head)) else head

    def _build_branch(self) -> str:
        """Upload what the branch lacks, a commit at a time; the commit that is complete."""
        while True:
            done = patiently(self._upload_some, self.note)
            if done is not None:
                return done

    def _upload_some(self) -> str | None:
        """Add one commit to the branch; its head where nothing is missing any more."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        head = self.remote.sha(self.branch)
        if head is None:
            self.api.create_branch(
                self.name, branch=self.branch, repo_type="dataset", exist_ok=True
            )
            head = self._head(self.branch)
        missing, stale = self._difference(head)
        if not missing and not stale:
            return head
        batch = next(_batches(missing), [])
        self._commit(
            [
                *(CommitOperationAdd(file.path, str(file.local)) for file in batch),
                *(CommitOperationDelete(path, is_folder=False) for path in stale),
            ],
            revision=self.branch,
            parent=head,
        )
        self.uploaded += len(batch)
        self.note(f"uploaded {len(batch)} of {len(missing)} missing files")
        return None

    def _promote(self, built: str) -> str:
        """Copy the branch's state to main in one commit; the commit of main that has it."""
        from huggingface_hub import CommitOperationCopy, CommitOperationDelete

        head = self._head("main")
        missing, stale = self._difference(head)
        if not missing and not stale:  # the answer to an earlier attempt was lost
            return head
        return self._commit(
            [
                *(
                    CommitOperationCopy(file.path, file.path, src_revision=built)
                    for file in missing
                ),
                *(CommitOperationDelete(path, is_folder=False) for path in stale),
            ],
            revision="main",
            parent=head,
        )

    def _commit(
        self,
        operations: Sequence[CommitOperationAdd | CommitOperationCopy | CommitOperationDelete],
        *,
        revision: str,
        parent: str,
    ) -> str:
        info = self.api.create_commit(
            self.name,
            operations,
            repo_type="dataset",
            revision=revision,
            parent_commit=parent,
            commit_message=f"MGLD {self.publication.digest[:16]}",
        )
        return str(info.oid)

    def _refuse_other(self, tag: str) -> None:
        """Refuse a tag that names another dataset: what was published as a version stays."""
        there = self._tags().get(tag)
        if there is not None and any(self._difference(there)):
            raise ValueError(
                f"{self.name} has a version {tag} already, which is another dataset: "
                "name a new version"
            )

    def _tag(self, tag: str, commit: str) -> None:
        if tag not in self._tags():
            self.api.create_tag(self.name, tag=tag, revision=commit, repo_type="dataset")
            self.note(f"tagged {tag}")
        self._refuse_other(tag)  # someone may have been faster

    def _tags(self) -> dict[str, str]:
        """Tag -> commit."""
        refs = self.api.list_repo_refs(self.name, repo_type="dataset")
        return {each.name: each.target_commit for each in refs.tags}

    def _drop_branch(self) -> None:
        refs = self.api.list_repo_refs(self.name, repo_type="dataset")
        if self.branch in {each.name for each in refs.branches}:
            self.api.delete_branch(self.name, branch=self.branch, repo_type="dataset")

    def _head(self, branch: str) -> str:
        head = self.remote.sha(branch)
        if head is None:
            raise FileNotFoundError(f"{self.name} has no branch {branch}")
        return head

    def _difference(self, sha: str) -> tuple[list[PublishedFile], list[str]]:
        """Files that a commit lacks, and paths of an earlier dataset that are not part of ours."""
        there = self.remote.files(sha)
        ours = {file.path: file for file in self.publication.files}
        missing = [
            file for path, file in ours.items() if path not in there or not there[path].same(file)
        ]
        return missing, sorted(path for path in there if is_ours(path) and path not in ours)


def _batches(files: Sequence[PublishedFile]) -> Iterator[list[PublishedFile]]:
    batch: list[PublishedFile] = []
    for file in files:
        if batch and (
            len(batch) == COMMIT_FILES
            or sum(each.size for each in batch) + file.size > COMMIT_BYTES
        ):
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch


def _check_tag_name(tag: str | None) -> None:
    if tag is not None and not re.fullmatch(r"[A-Za-z0-9][\w.\-]{0,99}", tag, re.ASCII):
        raise ValueError(f"{tag!r} cannot name a version; v1.0.0 can")
