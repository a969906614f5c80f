"""Builds in processes of their own, to be killed, interrupted and starved of disk."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from mgld.build import BuildConfig, BuildStoppedError, build_dataset
from mgld.build.config import save_config

PRELOADED = [
    "build_process",
    "mgld.annotate.template",
    "mgld.hub",
    "mgld.vision",
    "torch",
    "open_clip",
    "open_clip.transform",
    "faiss",
    "datasets",
    "datasets.arrow_writer",
]


def warm_context() -> multiprocessing.context.ForkServerContext:
    """Processes that start in milliseconds: their server has imported what a build imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def run_build(config: BuildConfig, root: Path) -> None:
    """Body of a process: 0 when done, 3 when stopped by a signal that was understood."""
    try:
        build_dataset(config, root)
    except BuildStoppedError:
        sys.exit(3)


def nothing() -> None:
    """Body of a process that only makes the server start."""


def warm_up() -> None:
    """Start the server of `warm_context`; returns when its imports are done."""
    process = warm_context().Process(target=nothing)
    process.start()
    process.join()


def start_build(config: BuildConfig, root: Path) -> ForkServerProcess:
    process = warm_context().Process(target=run_build, args=(config, root))
    process.start()
    return process


def start_command(config: BuildConfig, root: Path, *, workers: int) -> subprocess.Popen[str]:
    """`mgld build` as a user would start it, in a session of its own."""
    settings = root.parent / "settings"
    settings.mkdir(exist_ok=True)
    save_config(config, settings)
    command = [sys.executable, "-c", "from mgld.cli import main; main()", "build"]
    command += ["--config", str(settings / "config.yaml"), "--out", str(root)]
    return subprocess.Popen(
        [*command, "--workers", str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_of_session(session: int) -> list[int]:
    """Living processes of a session (zombies are not)."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def wait_until_gone(session: int, seconds: float) -> bool:
    """Whether every process of a session ends within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not processes_of_session(session):
            return True
        time.sleep(0.02)
    return False


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
