"""A longer job as the commands that a newcomer would type: each is shown, then run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """One step: `name`, and the words of a command of this environment's `bin`."""

    name: str
    words: tuple[str, ...]


def run(
    folder: Path, steps: Iterable[Command], *, env: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Run the steps in `folder`; seconds of each. SystemExit with a failed step's code.

    env: the commands' environment, this process's own by default. Steps are taken one at a time,
    so that a later one can depend on what an earlier one wrote.
    """
    programs = Path(sys.executable).parent
    seconds = {}
    for step in steps:
        print(f"\n$ {shlex.join(step.words)}", flush=True)
        began = time.monotonic()
        program, *rest = step.words
        done = subprocess.run(
            [str(programs / program), *rest], cwd=folder, env=env or dict(os.environ), check=False
        )
        seconds[step.name] = time.monotonic() - began
        if done.returncode:
            print(f"{step.name} failed with exit code {done.returncode}", file=sys.stderr)
            raise SystemExit(done.returncode)
    return seconds
