"""Processes that use a loopback Hub, forked from one that has imported everything already.

`python hub_children.py` is that one: it reads tasks from its standard input, forks a child for
each, and answers with the child's pid and, once it has ended, how.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Child:
    """A process doing one task: `pid`, and after `wait` its `status` (-9: killed) and `output`."""

    def __init__(self, output: Path) -> None:
        self.pid, self.status = 0, 0
        self._output, self._started, self._ended = output, threading.Event(), threading.Event()

    def started(self, pid: int) -> None:
        self.pid = pid
        self._started.set()

    def ended(self, status: int) -> None:
        self.status = status
        self._ended.set()

    def kill(self) -> None:
        """SIGKILL; waits until the pid is known, which a first request may precede."""
        self._started.wait(10)
        os.kill(self.pid, 9)

    def kill_if_running(self) -> None:
        if self.pid and not self._ended.is_set():
            self.kill()

    def wait(self) -> Child:
        assert self._ended.wait(120), "the child does not end"
        return self

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")


class Children:
    """Starts children. env: their environment, with the Hub's address; folder: their outputs."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self.folder, self._tasks = folder, dict[int, Child]()
        folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            child = self._tasks[answer["task"]]
            if "pid" in answer:
                child.started(answer["pid"])
            else:
                child.ended(answer["status"])
        for child in self._tasks.values():  # the process they are forked from has failed
            child.ended(child.status or 1)

    def start(self, what: str, *args: Any, token: str | None = "hf_loopback") -> Child:
        """Begin a task: "mgld" with its arguments, "reader" or "python" (see `_DO`)."""
        assert self._process.stdin is not None
        number = len(self._tasks)
        output = self.folder / f"output-{number}.txt"
        self._tasks[number] = Child(output)
        words = [str(word) if isinstance(word, Path) else word for word in args]
        task = {"task": number, "do": what, "args": words, "output": str(output), "token": token}
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return self._tasks[number]

    def run(self, *args: Any, **more: Any) -> Child:
        """`mgld ARGS`, waited for."""
        return self.start("mgld", *args, **more).wait()

    def python(self, code: str) -> Any:
        """What Python code leaves in `result` (something for JSON)."""
        child = self.start("python", code).wait()
        assert child.status == 0, child.output
        return json.loads(child.output.splitlines()[-1])

    def close(self) -> None:
        """End all: what a failed test left running too."""
        assert self._process.stdin is not None
        for child in self._tasks.values():
            child.kill_if_running()
        self._process.stdin.close()
        self._process.wait()


def _mgld(*args: str) -> None:
    from mgld.cli import main

    main(list(args))


def _python(code: str) -> None:
    names: dict[str, Any] = {}
    exec(code, names)
    print(json.dumps(names["result"]))


def _reader(repo: str, stop: str) -> None:
    """Load all of `full` from main again and again until the file `stop` is there; print hashes."""
    from hashlib import sha256

    from datasets import load_dataset

    last = False
    while not last:
        last = Path(stop).exists()
        # One call, one state of main; a call for each split could see two, each of them whole.
        full = load_dataset(repo, "full", streaming=True, columns=["id", "title"])
        rows = [(row["id"], row["title"]) for split in full.values() for row in split]
        print(len(rows), sha256(json.dumps(rows).encode()).hexdigest(), flush=True)


_DO: dict[str, Callable[..., None]] = {"mgld": _mgld, "python": _python, "reader": _reader}


def _child(task: dict[str, Any]) -> None:
    output = os.open(task["output"], os.O_CREAT | os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(0)
    os.environ.pop("HF_TOKEN", None)
    if task["token"]:
        os.environ["HF_TOKEN"] = task["token"]
    code = 1
    try:
        _DO[task["do"]](*task["args"])
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _serve() -> None:
    import datasets
    import huggingface_hub.hf_api
    import pyarrow.parquet
    import torch
    from huggingface_hub.utils import _http

    import mgld.build
    import mgld.cli.build
    import mgld.hub.push
    import mgld.hub.verify_repo
    from mgld.hub import remote

    _ = datasets.load_dataset, huggingface_hub.hf_api, pyarrow.parquet, mgld.build, torch
    # Patience is tested for what it does, not for how long it waits.
    remote.WAITS = (0.05,) * 8
    for backoff in (_http.http_backoff, _http.http_stream_backoff):
        inspect.unwrap(backoff).__kwdefaults__["base_wait_time"] = 0.05
    lock = threading.Lock()

    def say(**answer: Any) -> None:
        with lock:
            print(json.dumps(answer), flush=True)

    for line in sys.stdin:
        task = json.loads(line)
        pid = os.fork()
        if not pid:
            _child(task)
        say(task=task["task"], pid=pid)

        def reap(pid: int = pid, task: dict[str, Any] = task) -> None:
            _, status = os.waitpid(pid, 0)
            say(task=task["task"], status=os.waitstatus_to_exitcode(status))

        threading.Thread(target=reap).start()


if __name__ == "__main__":
    _serve()
