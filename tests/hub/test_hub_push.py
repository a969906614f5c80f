"""`mgld push`: published whole or not at all, whatever happens on the way."""

from __future__ import annotations

import copy
import json
import re
import shutil
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from hub_build import LANDMARKS, write_build
from hub_children import Child, Children
from hub_server import HubServer
from hub_store import Repo
from huggingface_hub import DatasetCard

from mgld.hub import export_dataset

Tree = dict[str, bytes]


@pytest.fixture(scope="module")
def published(
    hub: HubServer, children: Children, two_builds: tuple[Path, Path]
) -> tuple[Repo, Tree]:
    """A repository on which the old build is published, and the files of the new one."""
    old, new = two_builds
    for build, repo in ((old, "me/old"), (new, "me/new")):
        assert children.run("push", build, repo).status == 0
    return hub.repo("me/old"), _ours(hub.repo("me/new").files(), "me/new")


def _ours(tree: Tree, repo: str) -> Tree:
    """A tree with the repository's name, which the card says, and the card's hash taken out."""
    plain = {path: data.replace(repo.encode(), b"REPO") for path, data in tree.items()}
    sums = plain["SHA256SUMS"].decode()
    plain["SHA256SUMS"] = re.sub(r"\w+  README.md", "README.md", sums).encode()
    return plain


def _repo(hub: HubServer, name: str, like: Repo) -> Repo:
    """A repository of its own with the state of another."""
    repo = copy.deepcopy(like)
    repo.name = name
    hub.repos["dataset", name] = repo
    return repo


def _states(repo: Repo, old: Tree, new: Tree) -> list[str]:
    """What every state of main was: old, new, or half."""
    after = repo.trees()[2:]  # the empty repository and the old dataset come with the copy
    names = []
    for tree in after:
        ours = _ours(tree, repo.name)
        names.append("new" if ours == new else "old" if tree == old else "half")
    return names


def test_a_push_publishes_all_in_one_commit_and_tags_it(
    hub: HubServer, children: Children, two_builds: tuple[Path, Path]
) -> None:
    _, build = two_builds
    done = children.run(
        "push", build, "me/first", "--private", "--revision-tag", "v1.0.0", "--json"
    )
    assert done.status == 0, done.output
    repo = hub.repo("me/first")
    assert repo.private
    assert [sorted(tree) for tree in repo.trees()] == [
        [".gitattributes"],
        sorted([".gitattributes", *_files(build)]),
    ]
    for path in (build / "dataset").rglob("*.parquet"):
        assert repo.files()[path.relative_to(build / "dataset").as_posix()] == path.read_bytes()
    assert repo.refs["refs/tags/v1.0.0"] == repo.refs["refs/heads/main"]
    assert not [ref for ref in repo.refs if "mgld-push" in ref]  # the branch is gone
    assert not (build / ".publish").exists()
    result = json.loads(done.output[done.output.index("{") :])
    assert result["commit"] == repo.refs["refs/heads/main"] and result["uploaded"] == 10


def _files(build: Path) -> list[str]:
    data = build / "dataset"
    return [
        *(path.relative_to(data).as_posix() for path in data.rglob("*.parquet")),
        *("README.md", "ATTRIBUTION.parquet", "eval.yaml", "SHA256SUMS"),
    ]


def test_a_second_push_of_the_same_changes_nothing(
    hub: HubServer, children: Children, two_builds: tuple[Path, Path], published: tuple[Repo, Tree]
) -> None:
    repo = _repo(hub, "me/old-again", published[0])
    repo.name = "me/old"
    hub.repos["dataset", "me/old"] = repo
    before = len(hub.log)
    assert children.run("push", two_builds[0], "me/old").status == 0
    assert len(repo.trees()) == 2
    assert not [line for line in hub.log[before:] if "commit" in line or "PUT" in line]


def test_a_new_version_replaces_the_old_and_keeps_what_is_not_ours(
    hub: HubServer, children: Children, two_builds: tuple[Path, Path], published: tuple[Repo, Tree]
) -> None:
    repo = _repo(hub, "me/next", published[0])
    repo.commit("main", [_header(), _file("docs/picture.txt", "aGVsbG8=")], {})
    assert any(path.startswith("subsets/hss/") for path in repo.files())
    assert children.run("push", two_builds[1], "me/next").status == 0
    files = repo.files()
    assert files.pop("docs/picture.txt") == b"hello"
    assert _ours(files, "me/next") == published[1]


def _header() -> dict[str, object]:
    return {"key": "header", "value": {"summary": "by someone else"}}


def _file(path: str, content: str) -> dict[str, object]:
    return {"key": "file", "value": {"path": path, "content": content, "encoding": "base64"}}


def test_a_version_is_never_given_to_another_dataset(
    hub: HubServer, children: Children, two_builds: tuple[Path, Path], published: tuple[Repo, Tree]
) -> None:
    repo = _repo(hub, "me/tagged", published[0])
    repo.tag("v1.0.0", "main")
    refused = children.run("push", two_builds[1], "me/tagged", "--revision-tag", "v1.0.0")
    assert refused.status == 1 and "name a new version" in refused.output
    assert len(repo.trees()) == 2


FAULTS = [
    (r"PUT /_lfs/", "drop", 1),
    (r"PUT /_lfs/", "500", 2),
    (r"preupload", "429", 1),
    (r"POST .*/branch/", "lose", 1),
    (r"POST .*/commit/mgld-push", "drop", 2),
    (r"POST .*/commit/mgld-push", "429", 1),
    (r"POST .*/commit/mgld-push", "lose", 1),
    (r"GET .*/tree/", "500", 3),
    (r"HEAD .*/resolve/", "500", 1),
    (r"GET .*/resolve/", "drop", 1),
    (r"POST .*/commit/main", "500", 2),
    (r"POST .*/commit/main", "drop", 1),
    (r"POST .*/commit/main", "lose", 1),
    (r"POST .*/tag/", "lose", 1),
    (r"DELETE .*/branch/", "lose", 1),
]


def test_faults_are_survived(
    hub: HubServer, children: Children, two_builds: tuple[Path, Path], published: tuple[Repo, Tree]
) -> None:
    repo = _repo(hub, "me/faults", published[0])
    hub.blobs.clear()
    for pattern, kind, times in FAULTS:
        hub.fault(pattern, kind, times=times)  # type: ignore[arg-type]
    done = children.run("push", two_builds[1], repo.name, "--revision-tag", "v2")
    assert done.status == 0, done.output
    assert hub.pending() == 0
    assert _states(repo, published[0].files(), published[1]) == ["new"]
    assert repo.refs["refs/tags/v2"] == repo.refs["refs/heads/main"]
    assert not [ref for ref in repo.refs if "mgld-push" in ref]


def test_a_hub_that_stays_down_is_said_so(
    hub: HubServer, children: Children, two_builds: tuple[Path, Path], published: tuple[Repo, Tree]
) -> None:
    repo = _repo(hub, "me/down", published[0])
    hub.fault(r"me/down/commit/main", "500", times=9)
    stopped = children.run("push", two_builds[1], repo.name)
    assert stopped.status == 1 and "run the same command again" in stopped.output
    assert "Traceback" not in stopped.output and len(repo.trees()) == 2


def test_a_commit_in_between_is_kept(
    hub: HubServer, children: Children, two_builds: tuple[Path, Path], published: tuple[Repo, Tree]
) -> None:
    repo = _repo(hub, "me/between", published[0])

    def someone() -> None:
        repo.commit("main", [_header(), _file("NOTE.md", "aGVsbG8=")], {})

    hub.fault(r"POST /api/datasets/me/between/commit/main", someone)
    done = children.run("push", two_builds[1], repo.name)
    assert done.status == 0 and "another commit came in between" in done.output
    files = repo.files()
    assert files.pop("NOTE.md") == b"hello"
    assert _ours(files, repo.name) == published[1]


# Where a push is killed, again and again: each time after that request was done. The reader beside
# it asks for files as well, so that the kill while loading back may come a little early.
KILLS = [
    (r"POST .*/branch/", 0),
    (r"POST .*/objects/batch", 0),
    (r"PUT /_lfs/", 0),
    (r"POST .*/commit/mgld-push", 0),
    (r"GET .*/resolve/", 1),
    (r"POST .*/commit/main", 0),
    (r"POST .*/tag/", 0),
]


def _push_killed(
    hub: HubServer, children: Children, build: Path, repo: Repo, where: str, skip: int
) -> Child:
    """A push to `repo` that is killed once a request is done; it has ended."""
    cell: list[Child] = []
    known = threading.Event()

    def kill() -> None:
        known.wait(10)
        cell[0].kill()

    hub.fault(where, kill, skip=skip, after=True)
    cell.append(children.start("mgld", "push", build, repo.name, "--revision-tag", "v2"))
    known.set()
    return cell[0].wait()


def _whole(
    hub: HubServer, repo: Repo, published: tuple[Repo, Tree], uploads: list[str], kills: int
) -> None:
    """The new dataset is published, main was never anything else, nothing was sent needlessly."""
    assert hub.pending() == 0
    assert _states(repo, published[0].files(), published[1]) == ["new"]
    assert repo.refs["refs/tags/v2"] == repo.refs["refs/heads/main"]
    assert not [ref for ref in repo.refs if "mgld-push" in ref]
    # What had arrived is not sent again; five are in flight at a time.
    old = published[0].files()
    large = [path for path, data in published[1].items() if path.endswith(".parquet")]
    changed = len([path for path in large if old.get(path) != published[1][path]])
    assert len(set(uploads)) == changed < len(large)
    assert len(uploads) <= changed + 5 * kills


def test_a_push_that_is_killed_goes_on_and_readers_see_old_or_new(
    hub: HubServer,
    children: Children,
    two_builds: tuple[Path, Path],
    published: tuple[Repo, Tree],
    tmp_path: Path,
) -> None:
    repo = _repo(hub, "me/kills", published[0])
    hub.blobs.clear()
    reader = children.start("reader", repo.name, tmp_path / "stop")
    before = len(hub.log)
    for where, skip in KILLS:
        killed = _push_killed(hub, children, two_builds[1], repo, where, skip)
        assert killed.status == -9, f"{where}: {killed.output}"
    done = children.run("push", two_builds[1], repo.name, "--revision-tag", "v2")
    assert done.status == 0, done.output
    uploads = [line for line in hub.log[before:] if line.startswith("PUT /_lfs/")]
    _whole(hub, repo, published, uploads, kills=1)
    (tmp_path / "stop").touch()
    assert reader.wait().status == 0, reader.output
    seen = [line for line in reader.output.splitlines() if re.fullmatch(r"59 [0-9a-f]{64}", line)]
    assert len(seen) == len(reader.output.splitlines()) >= 3, reader.output
    assert len(set(seen)) == 2  # the old one, and at last the new one
    assert seen == sorted(seen, key=lambda line: line == seen[-1])


@pytest.mark.slow
def test_a_push_may_be_killed_at_any_request(
    hub: HubServer, children: Children, two_builds: tuple[Path, Path], published: tuple[Repo, Tree]
) -> None:
    number = 0
    while True:
        repo = _repo(hub, f"me/any{number}", published[0])
        hub.blobs.clear()
        before = len(hub.log)
        killed = _push_killed(hub, children, two_builds[1], repo, r"(?!.*whoami)", number)
        if killed.status == 0:  # there are not so many
            break
        assert killed.status == -9, killed.output
        done = children.run("push", two_builds[1], repo.name, "--revision-tag", "v2")
        assert done.status == 0, f"killed at request {number}: {done.output}"
        uploads = [line for line in hub.log[before:] if line.startswith("PUT /_lfs/")]
        _whole(hub, repo, published, uploads, kills=1)
        number += 1
    assert number > 40


def test_rows_without_licence_or_author_are_refused_by_name(
    hub: HubServer, children: Children, tmp_path: Path
) -> None:
    build = write_build(tmp_path / "build", sizes=[10], methods=["hds"])
    export_dataset(build, build / "dataset")
    refused = children.run("push", build, "me/lacking")
    assert refused.status == 1 and ("dataset", "me/lacking") not in hub.repos
    assert "12 of 59 images have no licence or no author" in refused.output
    assert "0000000000000001  no licence and author  Abbey of Varn 1" in refused.output
    listed = (build / ".publish" / "without_licence.csv").read_text().splitlines()
    assert len(listed) == 13

    done = children.run("push", build, "me/lacking", "--withhold-images")
    assert done.status == 0 and "12 images withheld" in done.output
    folder = tmp_path / "fetched"
    for path, data in hub.repo("me/lacking").files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    table = pq.read_table(folder / "ATTRIBUTION.parquet").to_pylist()
    assert len(table) == LANDMARKS - 1
    assert all(row["image_published"] == bool(row["license"] and row["author"]) for row in table)
    published = {row["id"]: row["image_published"] for row in table}
    for path in (folder / "full").glob("*"), (folder / "eval").glob("*"):
        for file in path:
            for row in pq.ParquetFile(file).read().to_pylist():
                assert (row["image"] is not None) == published[row["id"]]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "**12 images are withheld**" in card


def test_the_files_beside_the_data(hub: HubServer, published: tuple[Repo, Tree]) -> None:
    files = hub.repo("me/new").files()
    tasks = yaml.safe_load(files["eval.yaml"])["tasks"]
    assert {"id": "accuracy", "config": "eval", "split": "test"} in tasks
    card = files["README.md"].decode()
    assert 'load_dataset("me/new", "hds10")' in card
    for heading in (
        "Configs",
        "How it was made",
        "Licences and attribution",
        "Known limits and biases",
        "People in photographs",
        "Asking for a removal",
        "Where the paper is open, and the reading taken",
        "Fields",
        "How to cite",
    ):
        assert f"\n## {heading}\n" in card
    assert "| CC BY-SA 4.0 | 59 | 100.0 % |" in card
    assert "$" not in card
    data = DatasetCard(card).data  # as the Hub's own library reads it
    assert data.license == "other" and data.license_name and data.license_link
    assert data.source_datasets == ["extended|google-landmarks-v2"]
    assert data.task_categories == ["visual-question-answering", "image-classification"]
    assert "Weyand et al." in card and "passers-by" in card


@pytest.mark.parametrize(
    ("args", "token", "words"),
    [
        (["me/x"], None, "no token for the Hub"),
        (["just-a-name"], "hf_x", "give OWNER/NAME"),
        (["me/--x"], "hf_x", "is no Hub id"),
        (["me/x", "--revision-tag", "a b"], "hf_x", "cannot name a version"),
        (["me/old", "--private"], "hf_x", "is public"),
    ],
)
def test_what_cannot_be_pushed_is_said(
    args: list[str],
    token: str | None,
    words: str,
    children: Children,
    two_builds: tuple[Path, Path],
    published: tuple[Repo, Tree],
) -> None:
    refused = children.run("push", two_builds[0], *args, token=token)
    assert refused.status == 1 and words in refused.output, refused.output
    assert "Traceback" not in refused.output and "hf_x" not in refused.output


def test_a_build_without_a_dataset_is_refused(
    children: Children, two_builds: tuple[Path, Path], tmp_path: Path
) -> None:
    shutil.copytree(two_builds[0], tmp_path / "build")
    (tmp_path / "build" / "dataset" / "README.md").unlink()
    refused = children.run("push", tmp_path / "build", "me/x")
    assert refused.status == 1 and "is not finished" in refused.output
