"""A real Ray cluster on this machine: two nodes of a CPU each, on loopback, reported to nobody."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOPBACK = "127.0.0.1"
STORE_BYTES = 80 << 20
HERE = Path(__file__).parent
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
"""Every process of a cluster must show it; Ray reads it once."""
# Memory that other processes use is not our matter; Ray would make its workers very nice (15), and
# give up on a client that is slow to start on a busy machine.
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_worker_niceness": "0",
    "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "150",
}


@dataclass(frozen=True)
class LocalCluster:
    """`address`: for RAY_ADDRESS. `client`: ray://HOST:PORT. `raylets`: pids of its nodes."""

    address: str
    client: str
    raylets: list[int]

    def workers(self) -> list[psutil.Process]:
        """Processes of our actors."""
        found = []
        for raylet in self.raylets:
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(raylet).children():
                    with suppress(psutil.Error, IndexError):
                        if child.cmdline()[0].startswith("ray::RayWorker"):
                            found.append(child)
        return found


@contextmanager
def local_cluster(nodes: int = 2) -> Iterator[LocalCluster]:
    """Start a cluster whose workers find mgld and the modules of these tests, and end it."""
    folder = tempfile.mkdtemp(prefix="mr-")  # short: names of sockets are limited
    port, client_port = _free_port(), _free_port()
    os.environ.update(TOKEN)
    environment = {**os.environ, **QUIET, "PYTHONPATH": _paths()}
    environment.pop("RAY_ADDRESS", None)
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus", "1"]
    ray += ["--node-ip-address", LOOPBACK, "--object-store-memory", str(STORE_BYTES)]
    head = [*ray, "--head", "--port", str(port), "--ray-client-server-port", str(client_port)]
    head += ["--temp-dir", folder, "--include-dashboard", "false", "--disable-usage-stats"]
    before = os.environ.get("RAY_ADDRESS")
    running: list[subprocess.Popen[bytes]] = []
    try:
        for command in [head, *[[*ray, "--address", f"{LOOPBACK}:{port}"]] * (nodes - 1)]:
            log = Path(folder, f"node-{len(running)}.log")
            with log.open("wb") as out:
                process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
            running.append(process)
            _wait_until_started(process, log)
        os.environ["RAY_ADDRESS"] = f"{LOOPBACK}:{port}"
        raylets = [_raylet(process.pid) for process in running]
        yield LocalCluster(f"{LOOPBACK}:{port}", f"ray://{LOOPBACK}:{client_port}", raylets)
    finally:
        if before is None:
            os.environ.pop("RAY_ADDRESS", None)
        else:
            os.environ["RAY_ADDRESS"] = before
        for process in reversed(running):
            process.terminate()  # with --block it takes its node's processes along
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def this_machine() -> Iterator[None]:
    """Ray in two processes of this machine, connected to: it starts in a third of the time."""
    before = dict(os.environ)
    os.environ.update(TOKEN | QUIET, PYTHONPATH=_paths())
    folder = tempfile.mkdtemp(prefix="mr-")
    import ray

    try:
        ray.init(
            "local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=STORE_BYTES,
            _node_ip_address=LOOPBACK,
            _temp_dir=folder,
        )
        yield
    finally:
        ray.shutdown()
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)


def _paths() -> str:
    """PYTHONPATH of workers: mgld and the modules of these tests."""
    paths = [str(HERE.parents[1]), str(HERE), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(filter(None, paths))


def _wait_until_started(process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while b"Ray runtime started" not in log.read_bytes():
        assert process.poll() is None and time.monotonic() < end, log.read_text()
        time.sleep(0.1)


def _raylet(node: int) -> int:
    children = psutil.Process(node).children(recursive=True)
    return next(child.pid for child in children if child.name() == "raylet")


def _free_port() -> int:
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        port: int = server.getsockname()[1]
        return port
