"""What the loopback Hub answers: routes of the Hub's API onto `hub_store`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote

import hub_pulls
from hub_handler import Handler, Reply
from hub_store import WHEN, Blob, Commit, HubError

LFS_SUFFIXES = (".parquet", ".jpg", ".png", ".zip", ".gz", ".safetensors")
LFS_BYTES = 10_000_000
REPO = r"/api/(models|datasets|spaces)/([^/]+/[^/]+)"


def who_am_i(request: Handler) -> Reply:
    if not request.headers.get("Authorization"):
        raise HubError(401, "Unauthorized", "Invalid username or password.")
    return Reply(
        {"name": "me", "type": "user", "auth": {"accessToken": {"role": "write"}}, "orgs": []}
    )


def validate_yaml(request: Handler) -> Reply:
    import yaml

    content = json.loads(request.body)["content"]
    header = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
    try:
        metadata = yaml.safe_load(header[1]) if header else {}
    except yaml.YAMLError as error:
        return Reply({"errors": [{"message": str(error)}], "warnings": []}, 400)
    errors = []
    if header and not isinstance(metadata, dict):
        errors.append({"message": "the metadata is no mapping"})
    elif metadata.get("license") == "other" and not metadata.get("license_name"):
        errors.append({"message": "license other needs a license_name"})
    return Reply({"errors": errors, "warnings": []}, 400 if errors else 200)


def create_repo(request: Handler) -> Reply:
    if not request.headers.get("Authorization"):
        raise HubError(401, "Unauthorized", "Invalid username or password.")
    asked = json.loads(request.body)
    name = f"{asked.get('organization') or 'me'}/{asked['name']}"
    kind = asked.get("type", "model")
    host = f"http://{request.headers['Host']}"
    url = f"{host}/{'' if kind == 'model' else kind + 's/'}{name}"
    try:
        request.server_hub.create(name, kind, asked.get("visibility") == "private")
    except HubError as error:
        return Reply({"error": error.message, "url": url}, 409)
    return Reply({"url": url, "name": name, "id": name})


def info(request: Handler, kinds: str, name: str, revision: str | None = None) -> Reply:
    repo = request.repo(kinds, name)
    commit = repo.resolve(unquote(revision or "main"))
    return Reply(
        {
            "_id": "1",
            "id": repo.name,
            "sha": commit.sha,
            "private": repo.private,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "siblings": [{"rfilename": path} for path in sorted(commit.files)],
            "lastModified": WHEN,
            "createdAt": WHEN,
        }
    )


def preupload(request: Handler, kinds: str, name: str, revision: str) -> Reply:
    repo = request.writable(kinds, name)
    there = repo.resolve(unquote(revision)).files
    return Reply(
        {
            "files": [
                {
                    "path": file["path"],
                    "uploadMode": "lfs"
                    if file["path"].endswith(LFS_SUFFIXES) or file["size"] > LFS_BYTES
                    else "regular",
                    "shouldIgnore": False,
                    "oid": there[file["path"]].etag if file["path"] in there else None,
                }
                for file in json.loads(request.body)["files"]
            ]
        }
    )


def lfs_batch(request: Handler, kinds: str | None, name: str) -> Reply:
    request.writable((kinds or "models/").rstrip("/"), name)
    host = f"http://{request.headers['Host']}"
    objects = []
    for each in json.loads(request.body)["objects"]:
        answer = {"oid": each["oid"], "size": each["size"]}
        if each["oid"] not in request.server_hub.blobs:
            answer["actions"] = {
                "upload": {"href": f"{host}/_lfs/{each['oid']}"},
                "verify": {"href": f"{host}/_lfs_verify/{each['oid']}"},
            }
        objects.append(answer)
    return Reply({"transfer": "basic", "objects": objects})


def lfs_upload(request: Handler, oid: str) -> Reply:
    if hashlib.sha256(request.body).hexdigest() != oid:
        raise HubError(400, "BadRequest", "the object has another hash")
    request.server_hub.blobs[oid] = request.body
    return Reply({})


def lfs_verify(request: Handler, oid: str) -> Reply:
    if oid not in request.server_hub.blobs:
        raise HubError(404, "EntryNotFound", "no such object")
    return Reply({})


def commit(request: Handler, kinds: str, name: str, revision: str) -> Reply:
    repo = request.writable(kinds, name)
    changes = [json.loads(line) for line in request.body.splitlines()]
    target, url = unquote(revision), f"http://{request.headers['Host']}/{kinds}/{repo.name}"
    more = {}
    if request.query.get("create_pr") == ["1"]:
        header = changes[0]["value"]
        pull = repo.pull(header["summary"], header.get("description", ""))
        pull.status = "open"
        target = f"refs/pr/{pull.number}"
        more = {"pullRequestUrl": f"{url}/discussions/{pull.number}"}
    sha = repo.commit(target, changes, request.server_hub.blobs)
    return Reply(
        {
            "success": True,
            "commitOid": sha,
            "commitUrl": f"{url}/commit/{sha}",
            "hookOutput": "",
            **more,
        }
    )


def _entry(path: str, blob: Blob) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(blob.data), "oid": blob.oid}
    if blob.lfs is not None:
        entry["lfs"] = {"oid": blob.lfs, "size": len(blob.data), "pointerSize": 130}
    return entry


def _entries(at: Commit) -> list[dict[str, Any]]:
    folders = {
        "/".join(path.split("/")[:depth])
        for path in at.files
        for depth in range(1, path.count("/") + 1)
    }
    return [_entry(path, blob) for path, blob in sorted(at.files.items())] + [
        {
            "type": "directory",
            "path": path,
            "size": 0,
            "oid": hashlib.sha1(path.encode()).hexdigest(),
        }
        for path in sorted(folders)
    ]


def tree(request: Handler, kinds: str, name: str, revision: str, folder: str | None) -> Reply:
    at = request.repo(kinds, name).resolve(unquote(revision))
    base = unquote(folder or "").strip("/")
    prefix = base + "/" if base else ""
    recursive = request.query.get("recursive", ["false"])[0].lower() in ("true", "1")
    found = [
        entry
        for entry in _entries(at)
        if entry["path"].startswith(prefix)
        and (recursive or "/" not in entry["path"][len(prefix) :])
    ]
    if base and not found:
        raise HubError(404, "EntryNotFound", f"{base} does not exist")
    start = int(request.query.get("cursor", ["0"])[0])
    stop = start + request.server_hub.page_size
    more = {}
    if stop < len(found):
        host = f"http://{request.headers['Host']}"
        query = f"recursive={recursive}&cursor={stop}"
        more["Link"] = f'<{host}{request.quoted}?{query}>; rel="next"'
    return Reply(found[start:stop], **more)


def paths_info(request: Handler, kinds: str, name: str, revision: str) -> Reply:
    at = request.repo(kinds, name).resolve(unquote(revision))
    is_json = "json" in request.headers.get("Content-Type", "")
    asked = json.loads(request.body) if is_json else parse_qs(request.body.decode())
    return Reply([entry for entry in _entries(at) if entry["path"] in asked.get("paths", [])])


def resolve(request: Handler, kinds: str | None, name: str, revision: str, path: str) -> Reply:
    at = request.repo((kinds or "models/").rstrip("/"), name).resolve(unquote(revision))
    blob = at.files.get(unquote(path))
    if blob is None:
        raise HubError(404, "EntryNotFound", f"Entry not found: {unquote(path)}")
    headers = {
        "X_Repo_Commit": at.sha,
        "ETag": f'"{blob.etag}"',
        "Accept_Ranges": "bytes",
        "Content_Type": "application/octet-stream",
    }
    if blob.lfs is not None:
        headers |= {"X_Linked_Etag": f'"{blob.lfs}"', "X_Linked_Size": str(len(blob.data))}
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range") or "")
    if asked is None:
        return Reply(blob.data, **headers)
    first, last = int(asked[1]), min(int(asked[2] or len(blob.data) - 1), len(blob.data) - 1)
    headers["Content_Range"] = f"bytes {first}-{last}/{len(blob.data)}"
    return Reply(blob.data[first : last + 1], 206, **headers)


def create_branch(request: Handler, kinds: str, name: str, branch: str) -> Reply:
    start = json.loads(request.body or b"{}").get("startingPoint", "main")
    request.writable(kinds, name).branch(unquote(branch), start)
    return Reply({})


def delete_branch(request: Handler, kinds: str, name: str, branch: str) -> Reply:
    request.writable(kinds, name).remove_ref(f"refs/heads/{unquote(branch)}")
    return Reply({})


def create_tag(request: Handler, kinds: str, name: str, revision: str) -> Reply:
    request.writable(kinds, name).tag(json.loads(request.body)["tag"], unquote(revision))
    return Reply({})


def delete_tag(request: Handler, kinds: str, name: str, tag: str) -> Reply:
    request.writable(kinds, name).remove_ref(f"refs/tags/{unquote(tag)}")
    return Reply({})


def refs(request: Handler, kinds: str, name: str) -> Reply:
    repo = request.repo(kinds, name)

    def below(prefix: str) -> list[dict[str, str]]:
        return [
            {"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": sha}
            for ref, sha in repo.refs.items()
            if ref.startswith(prefix)
        ]

    pulls = below("refs/pr/")
    found = {"branches": below("refs/heads/"), "tags": below("refs/tags/"), "converts": []}
    return Reply(found | ({"pullRequests": pulls} if "include_prs" in request.query else {}))


def commits(request: Handler, kinds: str, name: str, revision: str) -> Reply:
    repo = request.repo(kinds, name)
    found, sha = [], repo.resolve(unquote(revision)).sha
    while sha is not None:
        at = repo.commits[sha]
        found.append(
            {"id": sha, "title": at.title, "message": "", "date": WHEN, "authors": [{"user": "me"}]}
        )
        sha = at.parent  # type: ignore[assignment]
    return Reply(found)


ROUTES: list[tuple[str, str, Callable[..., Reply]]] = [
    ("GET", r"/api/whoami-v2", who_am_i),
    ("POST", r"/api/validate-yaml", validate_yaml),
    ("POST", r"/api/repos/create", create_repo),
    ("GET HEAD", REPO, info),
    ("GET HEAD", REPO + r"/revision/([^/]+)", info),
    ("POST", REPO + r"/preupload/([^/]+)", preupload),
    ("POST", REPO + r"/commit/([^/]+)", commit),
    ("GET HEAD", REPO + r"/tree/([^/]+)(?:/(.*))?", tree),
    ("POST", REPO + r"/paths-info/([^/]+)", paths_info),
    ("POST", REPO + r"/branch/([^/]+)", create_branch),
    ("DELETE", REPO + r"/branch/([^/]+)", delete_branch),
    ("POST", REPO + r"/tag/([^/]+)", create_tag),
    ("DELETE", REPO + r"/tag/([^/]+)", delete_tag),
    ("GET", REPO + r"/refs", refs),
    ("GET", REPO + r"/commits/([^/]+)", commits),
    ("POST", REPO + r"/discussions", hub_pulls.open_pull),
    ("GET", REPO + r"/discussions", hub_pulls.list_pulls),
    ("GET", REPO + r"/discussions/(\d+)", hub_pulls.pull_details),
    ("POST", REPO + r"/discussions/(\d+)/(merge|comment|status|title)", hub_pulls.change_pull),
    ("POST", r"/(datasets/|spaces/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", lfs_batch),
    ("PUT", r"/_lfs/([0-9a-f]{64})", lfs_upload),
    ("POST", r"/_lfs_verify/([0-9a-f]{64})", lfs_verify),
    ("GET HEAD", r"/(datasets/|spaces/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", resolve),
]
