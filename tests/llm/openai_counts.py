"""What the loopback endpoint served: the other side of a client's ledger."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any


class Counts:
    """Counts since the start or the last reset.

    online, batched: how often each content was served with a billed reply, by content hash.
    A request in flight whose client was killed is billed: the model ran.
    """

    def __init__(self) -> None:
        self.started = time.time()
        self.online: Counter[str] = Counter()
        self.batched: Counter[str] = Counter()
        self.custom_ids: Counter[str] = Counter()
        self.tries: Counter[str] = Counter()
        self.statuses: dict[str, Counter[str]] = {}
        self.faults: Counter[str] = Counter()
        self.batches_created = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.seconds: dict[int, list[int]] = {}
        self.in_flight = 0
        self.max_in_flight = 0

    def arrived(self, tokens: int) -> None:
        """A whole request of responses or chat is there."""
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        second = self.seconds.setdefault(int(time.time()), [0, 0])
        second[0] += 1
        second[1] += tokens

    def answered(self, route: str, status: int | str) -> None:
        """A reply went out (or "drop": none did)."""
        self.statuses.setdefault(route, Counter())[str(status)] += 1

    def bill(self, content: str, input_tokens: int, output_tokens: int) -> None:
        """A request was served online."""
        self.online[content] += 1
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens

    def bill_batched(
        self, content: str, custom_id: str, input_tokens: int, output_tokens: int
    ) -> None:
        """A request of a batch was run."""
        self.batched[content] += 1
        self.custom_ids[custom_id] += 1
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens

    def summary(self) -> dict[str, Any]:
        """All but the maps by content."""
        return {
            "seconds_up": time.time() - self.started,
            "statuses": {route: dict(counts) for route, counts in self.statuses.items()},
            "faults": dict(self.faults),
            "billed_online": self.online.total(),
            "billed_batched": self.batched.total(),
            "batches_created": self.batches_created,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "per_second": {str(second): pair for second, pair in self.seconds.items()},
        }

    def whole(self) -> dict[str, Any]:
        """The summary with the maps by content hash and custom_id."""
        return {
            **self.summary(),
            "online": dict(self.online),
            "batched": dict(self.batched),
            "custom_ids": dict(self.custom_ids),
            "tries": dict(self.tries),
        }
