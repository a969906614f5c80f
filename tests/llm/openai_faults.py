"""What goes wrong at the loopback endpoint, and when: reproducible whatever order requests come in.

Settings are one JSON object, at the start or through `POST /control` (fields not given keep their
defaults):

    {"latency": 0.2, "seed": 0, "unsupported": ["responses"], "rules": [
        {"fault": "rate_limit", "share": 0.05, "retry_after": 1},
        {"fault": "status", "status": 500, "ordinals": [0, 3]},
        {"fault": "refusal", "match": "Eiffel"},
        {"fault": "expired", "tries": 1, "done": 0.4}]}

A rule fires for the requests it matches (`on`: route names; `match`: a part of the prompt) that are
among its `ordinals` (counted over the matching requests from 0), among the first `tries` of the
same content, or, by chance, in `share` of the draws keyed by seed, content and try. A rule with
none of the three always fires. Faults of replies are keyed without the try: a model that refuses a
picture refuses it again, online and in a batch.

HTTP, on any route (default: responses, chat):
    rate_limit   429; `retry_after` (s) or `retry_after_ms` as headers, or neither
    quota        429 insufficient_quota
    status       `status`: 500, 502 (an HTML body), 503, or a 4xx
    bad_key      401 that echoes parts of the key
    azure_filter 400 with code content_filter
    drop         connection closed before any reply; `billed`: true if the model ran all the same
    cut          200, connection closed in the middle of the body (billed)
    broken_json  200 whose body is truncated JSON (billed)
    slow         200, the body dripping over `seconds` in 20 pieces (billed)
    delay        `seconds` more before the reply
Replies, online and in batches (billed): truncated_text, refusal, content_filter, empty, fenced,
    wrong_schema, half_json (see `openai_plays`).
Creating a batch: create_500, create_drop: the batch exists, the reply is a 500 or nothing.
Lines of a batch: line_error (`status` 400 or 500, in the error file), line_missing (in no file;
    `billed`).
Batches: failed_validation, expired and cancelled (`done`: share of the lines that ran).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

HTTP_FAULTS = frozenset(
    [
        "rate_limit",
        "quota",
        "status",
        "bad_key",
        "azure_filter",
        "drop",
        "cut",
        "broken_json",
        "slow",
        "delay",
    ]
)
REPLY_FAULTS = frozenset(
    ["truncated_text", "refusal", "content_filter", "empty", "fenced", "wrong_schema", "half_json"]
)
CREATE_FAULTS = frozenset({"create_500", "create_drop"})
LINE_FAULTS = frozenset({"line_error", "line_missing"})
BATCH_FAULTS = frozenset({"failed_validation", "expired", "cancelled"})
ONLINE = ("responses", "chat")


@dataclass
class Rule:
    """One line of the settings' `rules`, with the number of matching requests seen so far."""

    fault: str
    on: frozenset[str] | None
    share: float | None
    ordinals: frozenset[int] | None
    tries: int | None
    match: str | None
    more: dict[str, Any]
    seen: int = 0

    @staticmethod
    def read(row: dict[str, Any]) -> Rule:
        row = dict(row)
        fault = row.pop("fault")
        known = HTTP_FAULTS | REPLY_FAULTS | CREATE_FAULTS | LINE_FAULTS | BATCH_FAULTS
        if fault not in known:
            raise ValueError(f"no such fault: {fault!r}")
        on = row.pop("on", ONLINE if fault in HTTP_FAULTS else None)
        on = (on,) if isinstance(on, str) else on
        ordinals = row.pop("ordinals", None)
        return Rule(
            fault,
            None if on is None else frozenset(on),
            row.pop("share", None),
            None if ordinals is None else frozenset(ordinals),
            row.pop("tries", None),
            row.pop("match", None),
            row,
        )

    def fires(self, seed: str, route: str, content: str, text: str, nth: int) -> bool:
        """Whether this rule hits the `nth` try (from 0) of `content`."""
        if self.on is not None and route not in self.on:
            return False
        if self.match is not None and self.match not in text:
            return False
        ordinal = self.seen
        self.seen += 1
        if self.ordinals is not None:
            return ordinal in self.ordinals
        if self.tries is not None and nth >= self.tries:
            return False
        if self.share is None:
            return True
        if self.fault in REPLY_FAULTS or self.more.get("status") == 400:
            nth = 0
        key = f"{seed}:{self.fault}:{content}:{nth}".encode()
        return int.from_bytes(hashlib.sha256(key).digest()[:8]) < self.share * 2**64


@dataclass
class Settings:
    """How the endpoint behaves; the fields are those of the JSON object."""

    latency: float = 0.0
    """Seconds from a whole request of responses or chat to its reply."""
    seed: int = 0
    rules: list[Rule] = field(default_factory=list)
    unsupported: frozenset[str] = frozenset()
    """Routes (404), text formats (400: json_schema, json_object), images, or body fields (400)."""
    api_key: str | None = None
    """Any other key is a 401."""
    models: dict[str, str | None] = field(default_factory=dict)
    """Model ids that `GET /models` lists, with a shutdown date or null; others answer all the
    same, but for those of `unknown_models`."""
    unknown_models: frozenset[str] = frozenset()
    requests_per_minute: int | None = None
    """Requests over this rate (bursts of one second's share) are a 429 with retry-after-ms."""
    batch_polls: int = 1
    """A batch completes with this many retrievals of it, and not before ..."""
    batch_seconds: float = 0.0
    """... so many seconds after its creation."""
    shuffle: bool = True
    """Lines of output files in another order than the input's."""
    list_lag: float = 0.0
    """Seconds for which a new batch is not in the list of batches."""
    enqueued_token_limit: int | None = None
    """Input tokens of unfinished batches; a batch that passes it fails validation."""
    max_batch_requests: int = 50_000
    max_file_bytes: int = 200 * 2**20

    @staticmethod
    def read(value: dict[str, Any]) -> Settings:
        """Settings from JSON; TypeError or ValueError for what is not known."""
        value = dict(value)
        value["rules"] = [Rule.read(row) for row in value.get("rules", ())]
        for name in ("unsupported", "unknown_models"):
            value[name] = frozenset(value.get(name, ()))
        return Settings(**value)

    def fault(
        self, kinds: frozenset[str], route: str, content: str, text: str, nth: int
    ) -> Rule | None:
        """The first rule among `kinds` that fires."""
        for number, rule in enumerate(self.rules):
            if rule.fault in kinds and rule.fires(
                f"{self.seed}:{number}", route, content, text, nth
            ):
                return rule
        return None
