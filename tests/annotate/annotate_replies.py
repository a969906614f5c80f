"""A ledger filled by hand, and tasks without a build."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from mgld.llm import Ledger, Request, StoredReply
from mgld.llm.ledger import Claim, Settle
from mgld.schema import QaTask


def chat(text: str | None, **message: object) -> bytes:
    """A Chat Completions body that says `text`."""
    finish = message.pop("finish_reason", "stop")
    choice = {"finish_reason": finish, "message": {"content": text, **message}}
    return json.dumps({"model": "m", "choices": [choice]}).encode()


def fill(path: Path, replies: Iterable[tuple[Request, bytes, int]]) -> None:
    """Put (request, raw reply, HTTP status) into the ledger at `path`."""
    with Ledger(path) as ledger:
        for request, raw, http_status in replies:
            (claimed,) = ledger.apply([Claim(request)])
            assert claimed is not None and claimed.state == "granted"
            reply = StoredReply(request.key, "online", "chat", http_status, raw)
            ledger.apply([Settle(claimed.attempt, reply)])


def task(name: str, landmark_id: int = 1, label: str | None = None) -> QaTask:
    return QaTask(
        landmark_id=landmark_id,
        name=name,
        image_sha256=hashlib.sha256(name.encode()).hexdigest(),
        hierarchical_label=label,
        supercategory=None,
        natural_or_human_made=None,
    )


def no_image(each: QaTask) -> bytes:
    """Reading replies must look at no image."""
    raise AssertionError("an image was read")
