"""The loopback Hub's pull requests."""

from __future__ import annotations

import json
from typing import Any

from hub_handler import Handler, Reply
from hub_store import WHEN, HubError, PullRequest, Repo


def _pull_details(repo: Repo, pull: PullRequest) -> dict[str, Any]:
    return {
        "num": pull.number,
        "title": pull.title,
        "author": {"name": "me"},
        "createdAt": WHEN,
        "status": pull.status,
        "repo": {"name": repo.name, "type": repo.kind},
        "isPullRequest": True,
        "events": [],
        "filesWithConflicts": [],
        "changes": {"base": "refs/heads/main", "mergeCommitId": pull.merged_as},
        "diff": "",
    }


def open_pull(request: Handler, kinds: str, name: str) -> Reply:
    asked = json.loads(request.body)
    pull = request.writable(kinds, name).pull(asked["title"], asked.get("description", ""))
    return Reply({"num": pull.number})


def list_pulls(request: Handler, kinds: str, name: str) -> Reply:
    repo = request.repo(kinds, name)
    found = [_pull_details(repo, pull) for pull in repo.pulls.values()]
    wanted = request.query.get("status", ["all"])[0]
    if wanted == "open":
        found = [each for each in found if each["status"] in ("open", "draft")]
    return Reply({"count": len(found), "start": 0, "discussions": found})


def pull_details(request: Handler, kinds: str, name: str, number: str) -> Reply:
    repo = request.repo(kinds, name)
    if int(number) not in repo.pulls:
        raise HubError(404, "EntryNotFound", f"no discussion {number}")
    return Reply(_pull_details(repo, repo.pulls[int(number)]))


def change_pull(request: Handler, kinds: str, name: str, number: str, what: str) -> Reply:
    repo = request.writable(kinds, name)
    pull, asked = repo.pulls[int(number)], json.loads(request.body or b"{}") or {}
    event = {"id": "1", "type": what, "author": {"name": "me"}, "createdAt": WHEN}
    if what == "merge":
        repo.merge(pull.number)
        return Reply({})
    if what == "status":
        pull.status = asked["status"]
        event |= {"type": "status-change", "data": {"status": pull.status}}
    if what == "comment":
        pull.comments.append(asked["comment"])
        latest = {"raw": asked["comment"], "html": "", "updatedAt": WHEN, "author": {"name": "me"}}
        event["data"] = {"edited": False, "hidden": False, "latest": latest, "history": [latest]}
    return Reply({"newMessage": event, "newStatus": event})
