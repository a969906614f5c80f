"""Worker processes that leave decisions to their parent and never outlive it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait


def stay_with_parent() -> None:
    """Called in a worker process: ignore Ctrl-C, and end as soon as the parent is gone.

    Ctrl-C reaches the whole process group; the parent decides what it means. A parent that is
    killed by SIGKILL tells nobody, and workers of a `ProcessPoolExecutor` would wait for ever: its
    sentinel is watched instead, even in the middle of a task.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
