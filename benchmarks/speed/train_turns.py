"""Turns: a side trains some steps, says how long they took, and waits until it is its turn again.

A side is a process of its own that has been started, and has compiled and loaded what it needs,
before anything is measured. While others have their turn it computes nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Turns:
    """In the side's process: called after every step."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._done: list[dict[str, float]] = []
        self._began = 0.0

    def wait(self) -> None:
        """Until it is this side's turn; the other end having gone ends the process."""
        if not sys.stdin.readline():
            raise SystemExit(0)
        self._began = time.perf_counter()

    def step(self, **figures: float) -> None:
        """One more step was done; after the last of a turn, say so and wait."""
        self._done.append(figures)
        if len(self._done) < self._steps:
            return
        seconds = time.perf_counter() - self._began
        summed = {name: sum(each[name] for each in self._done) for name in figures}
        print("TURN " + json.dumps({"seconds": seconds, "steps": self._steps, **summed}))
        sys.stdout.flush()
        self._done = []
        self.wait()


class Side:
    """At the other end: a process `python -m MODULE ARGUMENTS` that takes turns."""

    def __init__(self, name: str, module: str, arguments: Sequence[str], log: Path) -> None:
        self.name = name
        self.turns: list[dict[str, float]] = []
        self._log = log
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=ROOT,
            )

    def turn(self) -> dict[str, float]:
        """One turn."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        for line in process.stdout:
            if line.startswith("TURN "):
                figures: dict[str, float] = json.loads(line.removeprefix("TURN "))
                return figures
        raise RuntimeError(f"{self.name} ended: {self._log.read_text()[-3000:]}")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()


def interleaved(sides: Sequence[Side], rounds: int) -> None:
    """A turn of each, not measured, then `rounds` of each in turn: A B C A B C."""
    for number in range(rounds + 1):
        for side in sides:
            figures = side.turn()
            if number:
                side.turns.append(figures)


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, lowest and highest."""
    import statistics

    return {"median": statistics.median(values), "range": [min(values), max(values)]}
