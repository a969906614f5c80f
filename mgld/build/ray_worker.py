"""What runs on a Ray worker: one actor a worker process, which keeps its encoder between tasks."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from mgld.build.environment import environment
from mgld.build.runner import Failure


class RayWorker:
    """Body of an actor. Ray runs `rows` beside `serve`, in another thread."""

    def __init__(self) -> None:
        self._rows = 0

    def who(self) -> tuple[str, dict[str, str]]:
        """Host name, and the versions of what a result can depend on."""
        return socket.gethostname(), environment()

    def serve(self, function: Callable[..., Any], task: Any) -> tuple[str, Any, int]:
        """("result", value, rows) or ("failure", Failure, rows), as exceptions may not travel."""
        self._rows = 0
        try:
            return "result", function(task, self._count), self._rows
        except Exception as error:
            return "failure", Failure.of(error), self._rows

    def rows(self) -> int:
        """Rows of the current task that are done."""
        return self._rows

    def close(self) -> None:
        """Remove what the tasks left on this machine."""
        from mgld.build.remote import forget_build

        forget_build()

    def _count(self, rows: int) -> None:
        self._rows += rows
