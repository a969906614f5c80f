"""An OpenAI-compatible server written by others: `transformers serve`, on loopback, offline."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_RUNNING = re.compile(r"Uvicorn running on http://127\.0\.0\.1:(\d+)")


@contextmanager
def serving(folder: Path, *, seconds: float = 90) -> Iterator[str]:
    """The base URL (ending in `/v1`) of a server that loads models by the path of their folder.

    `folder` takes its log and its (empty) model cache. TimeoutError with the log's end if it does
    not answer within `seconds`; the server is stopped on leaving.
    """
    log = folder / "serve.log"
    (folder / "hub" / "hub").mkdir(parents=True)  # without it, GET /models is an error 500
    command = [sys.executable, "-c", "from transformers.cli.transformers import main; main()"]
    command += ["serve", "--host", "127.0.0.1", "--port", "0", "--device", "cpu"]
    environment = os.environ | {
        "HF_HOME": str(folder / "hub"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "2",
        "TQDM_DISABLE": "1",
    }
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        yield f"http://127.0.0.1:{_port(process, log, seconds)}/v1"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[bytes], log: Path, seconds: float) -> int:
    """The port it was given, from its log: asked for port 0, so that no two servers can clash."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := _RUNNING.search(log.read_text()):
            return int(found[1])
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise TimeoutError(f"transformers serve did not start:\n{log.read_text()[-2000:]}")
