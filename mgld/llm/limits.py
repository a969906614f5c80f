"""How fast requests go out: at a steady pace under the limits, slower when the endpoint asks."""

from __future__ import annotations

import random
import time

FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0
SLOWER = 0.7
"""What is left of the concurrency after a 429."""
SLOWER_AT_MOST_EVERY = 1.0
LOOK_AGAIN = 0.1


def backoff(tries: int, retry_after: float | None = None) -> float:
    """Seconds to wait after the given number of failed tries, never less than the endpoint asks.

    Doubles each time; jittered, so that what failed together does not come back together.
    """
    own: float = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** (tries - 1)) * random.uniform(0.5, 1.5)
    if retry_after is None:
        return own
    return retry_after + random.uniform(0, 0.25 * own)


class Pace:
    """At most so many units a minute, spread evenly: in no minute are there more."""

    def __init__(self, per_minute: int | None) -> None:
        self._seconds_each = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0

    def take(self, units: float) -> float:
        """Seconds to wait before so many units may be used; they are counted as used."""
        if not self._seconds_each:
            return 0.0
        now = time.monotonic()
        begin = max(now, self._next)
        self._next = begin + units * self._seconds_each
        return begin - now

    def correct(self, units: float) -> None:
        """So many more units (fewer if negative) were used than was thought."""
        self._next += units * self._seconds_each


class Throttle:
    """How many requests may be under way: fewer after a 429, slowly more again, up to `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed = float(most)
        self._under_way = 0
        self._slowed = 0.0
        self._not_before = 0.0

    def enter(self) -> float:
        """Seconds after which to ask again; 0: the request is under way, until `leave`."""
        pause = self._not_before - time.monotonic()
        if pause > 0:
            return pause
        if self._under_way >= int(self._allowed):
            return LOOK_AGAIN
        self._under_way += 1
        return 0.0

    def leave(self) -> None:
        """A request that entered is answered, or is not sent after all."""
        self._under_way -= 1

    def too_many(self, seconds: float) -> None:
        """The endpoint answered 429: nobody sends for so long, and then fewer do."""
        now = time.monotonic()
        self._not_before = max(self._not_before, now + seconds)
        # Many requests in flight hear of the same limit at once: that is one reason to slow down.
        if now - self._slowed >= SLOWER_AT_MOST_EVERY:
            self._slowed = now
            self._allowed = max(1.0, self._allowed * SLOWER)

    def went_well(self) -> None:
        """A request was answered: after as many as are allowed, one more is."""
        self._allowed = min(float(self._most), self._allowed + 1.0 / self._allowed)
