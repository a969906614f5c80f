"""Seconds and memory of a command: it and all processes it starts."""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

import psutil

EVERY_SECONDS = 0.1


@dataclass(frozen=True)
class Cost:
    """What a command took.

    seconds: wall. cpu_seconds: of all its processes, user and system. peak_mb: the largest sum of
    resident memory of its processes at one moment, sampled every tenth of a second; pages that they
    share are counted in each.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float

    def as_dict(self) -> dict[str, float]:
        """Rounded, for a record."""
        return {key: round(value, 1) for key, value in asdict(self).items()}


def measured(command: Sequence[str]) -> Cost:
    """Run a command; RuntimeError with what it said if it fails."""
    before = _children_seconds()
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
        peak = 0
        root = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, _resident(root))
            with suppress(subprocess.TimeoutExpired):
                process.wait(EVERY_SECONDS)
        seconds = time.monotonic() - began
        if process.returncode != 0:
            out.seek(0)
            said = out.read()
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{said}")
    return Cost(seconds, _children_seconds() - before, peak / 1e6)


def _resident(root: psutil.Process) -> int:
    total = 0
    with suppress(psutil.NoSuchProcess):
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                total += process.memory_info().rss
    return total


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
