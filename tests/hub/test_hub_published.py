"""A published dataset as its users meet it: `load_dataset`, `mgld.load`, `mgld verify`."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hub_children import Children
from hub_server import HubServer
from hub_store import Blob, Repo

HDS25K = "hds10"  # what hds25k is in a dataset of 59 rows


@pytest.fixture(scope="module")
def versions(hub: HubServer, children: Children, two_builds: tuple[Path, Path]) -> Repo:
    """A repository with two versions: v1.0.0 (old) and v1.1.0 (new, on main)."""
    for build, tag in zip(two_builds, ("v1.0.0", "v1.1.0"), strict=True):
        done = children.run("push", build, "me/mgld", "--revision-tag", tag)
        assert done.status == 0, done.output
    return hub.repo("me/mgld")


def test_load_dataset_by_name_revision_stream_and_columns(
    children: Children, versions: Repo
) -> None:
    found = children.python(
        f"""
from datasets import get_dataset_config_names, load_dataset
R, C = "me/mgld", {HDS25K!r}
whole = load_dataset(R, C, split="train")
old = load_dataset(R, C, split="train", revision="v1.0.0")
stream = load_dataset(R, C, split="train", streaming=True)
narrow = load_dataset(R, C, split="train", columns=["landmark_name", "rsr"])
narrow_stream = load_dataset(R, "eval", split="test", streaming=True, columns=["question"])
result = dict(
    configs=get_dataset_config_names(R),
    old_configs=get_dataset_config_names(R, revision="v1.0.0"),
    rows=len(whole), size=whole[0]["image"].size, title=whole[0]["title"], old=old[0]["title"],
    streamed=[row["landmark_id"] for row in stream], ids=list(whole["landmark_id"]),
    narrow=narrow.column_names, question=next(iter(narrow_stream)),
    default=list(load_dataset(R, streaming=True)),
)
"""
    )
    assert found["configs"] == ["full", "eval", "names", "hds10"]
    assert found["old_configs"] == [*found["configs"], "hss10"]
    assert found["rows"] == 10 and found["size"] == [64, 48]
    assert found["title"] == "File:Ünï new1.jpg" and found["old"] == "File:Ünï old1.jpg"
    assert found["streamed"] == found["ids"]
    assert found["narrow"] == ["landmark_name", "rsr"]
    assert found["question"] == {"question": "What is this, 0?"}
    assert found["default"] == ["train", "test"]


def test_mgld_load_by_name(children: Children, versions: Repo) -> None:
    found = children.python(
        """
import os, mgld
os.environ["MGLD_REPO"] = "me/mgld"
def refused(*args, **kw):
    try:
        mgld.load(*args, **kw)
    except (ValueError, FileNotFoundError) as error:
        return f"{type(error).__name__}: {error}"
result = dict(
    splits={name: len(rows) for name, rows in mgld.load().items()},
    old=mgld.load("me/mgld", "hss10", split="train", revision="v1.0.0")[0]["title"],
    gone=refused("me/mgld", "hss10"),
    nowhere=refused("me/none"),
)
"""
    )
    assert found["splits"] == {"train": 49, "test": 10}
    assert found["old"] == "File:Ünï old2.jpg"
    assert "hss10" in found["gone"] and found["gone"].startswith("ValueError")
    assert found["nowhere"].startswith("FileNotFoundError")


def test_a_private_dataset_is_for_its_readers(
    children: Children, two_builds: tuple[Path, Path]
) -> None:
    assert children.run("push", two_builds[1], "me/secret", "--private").status == 0
    assert children.run("verify", "me/secret").status == 0
    refused = children.run("verify", "me/secret", token=None)
    assert refused.status == 1 and "private" in refused.output
    assert "Traceback" not in refused.output


def test_verify_finds_nothing_wrong_with_what_was_pushed(
    children: Children, versions: Repo
) -> None:
    for more in ([], ["--revision", "v1.0.0"], ["--download"]):
        done = children.run("verify", "me/mgld", *more)
        assert done.status == 0 and ", 0 bad" in done.output, done.output
    missing = children.run("verify", "me/mgld", "--revision", "v9")
    assert missing.status == 1 and "has no revision v9" in missing.output
    wrong = children.run("verify", "me/mgld", "--rebuild")
    assert wrong.status == 2 and "is on the Hub" in wrong.output


def _damaged(name: str, versions: Repo, hub: HubServer) -> dict[str, Blob]:
    """The files of a copy of the repository, to be changed in place."""
    repo = copy.deepcopy(versions)
    repo.name = name
    hub.repos["dataset", name] = repo
    return repo.resolve("main").files


def _bad(children: Children, repo: str, *more: str) -> dict[str, str]:
    found = children.run("verify", repo, "--json", *more)
    assert found.status == 1, found.output
    result = json.loads(found.output[found.output.index("{\n") :])
    assert not result["ok"]
    return {each["file"]: each["problem"] for each in result["bad"]}


def test_verify_names_what_was_changed_removed_and_added(
    hub: HubServer, children: Children, versions: Repo
) -> None:
    files = _damaged("me/damaged", versions, hub)
    train = "full/train-00000-of-00001.parquet"
    files[train] = Blob(files[train].data + b"x", "0" * 64)
    del files["names/names-00000-of-00001.parquet"]
    files["full/more.parquet"] = Blob(b"more")
    files["eval.yaml"] = Blob(b"name: other\n")
    bad = _bad(children, "me/damaged")
    assert sorted(bad) == [
        "eval.yaml",
        "full/more.parquet",
        train,
        "names/names-00000-of-00001.parquet",
    ]
    assert "changed" in bad[train] and "changed" in bad["eval.yaml"]
    assert bad["names/names-00000-of-00001.parquet"] == "missing"
    assert bad["full/more.parquet"] == "not in SHA256SUMS"


def test_verify_reads_bytes_where_the_stated_hash_lies(
    hub: HubServer, children: Children, versions: Repo
) -> None:
    files = _damaged("me/lying", versions, hub)
    path = "eval/test-00000-of-00001.parquet"
    files[path] = Blob(files[path].data[:-1] + b"x", files[path].lfs)
    assert children.run("verify", "me/lying").status == 0
    assert list(_bad(children, "me/lying", "--download")) == [path]


def test_verify_holds_the_card_against_the_files(
    hub: HubServer, children: Children, versions: Repo
) -> None:
    from hashlib import sha256

    files = _damaged("me/card", versions, hub)
    card = files["README.md"].data.replace(b"Content sha256:", b"Content sha256:0", 1)
    old = sha256(files["README.md"].data).hexdigest().encode()
    sums = files["SHA256SUMS"].data.replace(old, sha256(card).hexdigest().encode())
    files["README.md"], files["SHA256SUMS"] = Blob(card), Blob(sums)
    assert "another content hash" in _bad(children, "me/card")["README.md"]
    files["SHA256SUMS"] = Blob(b"no sums\n")
    assert "line 1 is no hash and path" in _bad(children, "me/card")["SHA256SUMS"]
    del files["SHA256SUMS"]
    assert _bad(children, "me/card")["SHA256SUMS"] == "missing"


def test_scores_of_a_hub_id_are_bound_to_its_commit(
    hub: HubServer, children: Children, versions: Repo, tmp_path: Path
) -> None:
    folder = tmp_path / "scores"
    repo = copy.deepcopy(versions)
    repo.name = "me/scored"
    hub.repos["dataset", "me/scored"] = repo
    flags = ["score", "me/scored", "--encoder", "nano", "--out", folder, "--config"]
    for _ in range(2):
        done = children.run(*flags, HDS25K)
        assert done.status == 0 and "10 of 10 records scored" in done.output, done.output
    head = repo.resolve("main")
    assert json.loads((folder / "run.json").read_text())["images"] == head.sha
    repo._point("refs/heads/main", repo._add(head.sha, "other images, the same ids", head.files))
    done = children.run(*flags, HDS25K)
    assert done.status == 1 and "another run (other images)" in done.output, done.output
    hub.fault(r"GET /api/datasets/me/scored", "500", times=1000)
    try:
        done = children.run(*flags, HDS25K)
    finally:
        hub._faults.clear()
    assert done.status == 1 and "does not tell which commit 'me/scored' is at" in done.output
    nowhere = children.run("score", "me/none", "--encoder", "nano", "--out", tmp_path / "more")
    assert nowhere.status == 1 and "no dataset 'me/none' on the Hub" in nowhere.output
    assert "Traceback" not in done.output + nowhere.output
