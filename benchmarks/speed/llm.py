"""Requests per second and CPU per request, beside a bare `AsyncOpenAI` loop; resuming a ledger.

    python -m benchmarks.speed.llm --out benchmarks/results/speed_llm.json

The endpoint is the loopback server of the tests, in a process of its own, with 200 ms of latency:
ideal is concurrency / latency. Both sides take turns in fresh processes and ask the same questions
with the same strict schema; ours also writes every intent and reply to its ledger, flushed to disk.
The bare loop is what one would write instead: a semaphore around `responses.create`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import datetime
import io
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mgld.files import write_text_atomically
from mgld.llm import Image, Ledger, LlmSettings, OutputSchema, Parameters, Request
from mgld.llm.ledger import Claim, Settle, StoredReply
from mgld.llm.online import gather
from mgld.llm.wire import body

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "tests" / "llm" / "openai_server.py"
LATENCY, CONCURRENCY, WARM_UP = 0.2, 256, 512
MODEL = "gpt-4.1"
SCHEMA = OutputSchema(
    name="qa",
    json_schema={
        "type": "object",
        "properties": {"answer": {"type": "string"}},
        "required": ["answer"],
        "additionalProperties": False,
    },
)


def picture() -> bytes:
    """A JPEG of about 40 KB."""
    import numpy as np
    from PIL import Image as Pillow

    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    out = io.BytesIO()
    Pillow.fromarray(noise).resize((320, 240)).save(out, "JPEG", quality=80)
    return out.getvalue()


def questions(number: int, start: int, with_image: bool) -> list[Request]:
    """Requests of about 1,500 characters, as those of the annotation are."""
    image = Image("0" * 64, picture) if with_image else None
    parameters = Parameters(max_output_tokens=300)
    return [
        Request(
            purpose="qa",
            subject=str(each),
            model=MODEL,
            prompt_version="speed",
            instructions="You describe landmarks for people who look at a picture of one. " * 20,
            text=f"What is this, and where is it? The name is: Tower {each}.",
            image=image,
            schema=SCHEMA,
            parameters=parameters,
        )
        for each in range(start, start + number)
    ]


def ours(url: str, number: int, with_image: bool) -> dict[str, float]:
    """`gather` with a ledger on disk."""
    settings = LlmSettings(base_url=url, concurrency=CONCURRENCY, api="responses")
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.sqlite") as ledger:
        asked = questions(number + WARM_UP, 0, with_image)
        gather(asked[:WARM_UP], ledger, settings)
        with _measured(number) as measured:
            done = gather(asked[WARM_UP:], ledger, settings)
        assert (done.answered, done.errors) == (number, 0)
    return measured.figures


def bare(url: str, number: int, with_image: bool) -> dict[str, float]:
    """A semaphore around the client's own call; replies are kept in a list."""
    from openai import AsyncOpenAI

    original = picture() if with_image else None

    async def ask_all() -> dict[str, float]:
        client = AsyncOpenAI(base_url=url, api_key="sk-none", max_retries=2)
        slots = asyncio.Semaphore(CONCURRENCY)

        async def ask(request: Request) -> str:
            async with slots:
                image = None
                if original is not None:
                    image = "data:image/jpeg;base64," + base64.b64encode(original).decode()
                reply = await client.responses.create(**body(request, image, "responses"))
                return reply.output_text

        asked = questions(number + WARM_UP, 0, False)
        await asyncio.gather(*(ask(each) for each in asked[:WARM_UP]))
        with _measured(number) as measured:
            texts = await asyncio.gather(*(ask(each) for each in asked[WARM_UP:]))
        assert all(texts)
        return measured.figures

    return asyncio.run(ask_all())


def resume(rows: int) -> dict[str, float]:
    """Seconds until a run over so many answered requests knows that nothing is left to send."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        with Ledger(path) as ledger:
            asked = questions(rows, 0, False)
            for first in range(0, rows, 10_000):
                some = asked[first : first + 10_000]
                granted = ledger.apply([Claim(each) for each in some])
                raw = b'{"text": "' + b"x" * 1500 + b'"}'
                replies = [StoredReply(each.key, "online", "chat", 200, raw) for each in some]
                ledger.apply(
                    [Settle(c.attempt, r) for c, r in zip(granted, replies, strict=True) if c]
                )
        asked = questions(rows, 0, False)  # their keys are hashed again, as in a new process
        began = time.perf_counter()
        with Ledger(path) as ledger:
            done = gather(asked, ledger, LlmSettings(base_url="http://127.0.0.1:9/v1"))
        seconds = time.perf_counter() - began
        assert (done.before, done.answered) == (rows, 0)
        return {"rows": rows, "seconds": seconds, "bytes": path.stat().st_size}


class _measured:  # noqa: N801  # used as a function
    """Requests per second and CPU of this process within the block."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.figures: dict[str, float] = {}

    def __enter__(self) -> _measured:
        self._began, self._cpu = time.perf_counter(), _cpu()
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self._began
        self.figures = {
            "per_second": self._number / seconds,
            "cpu_ms": 1000 * (_cpu() - self._cpu) / self._number,
        }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _fresh(side: str, url: str, number: int, with_image: bool) -> dict[str, float]:
    """One side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.speed.llm", "--side", side, "--url", url]
    command += ["--requests", str(number), *(["--image"] if with_image else [])]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def compare(url: str, rounds: int, number: int, with_image: bool) -> dict[str, Any]:
    """Medians of `rounds` turns of each side, and their ratios."""
    turns: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
    for _ in range(rounds):
        for side in turns:
            turns[side].append(_fresh(side, url, number, with_image))
    sides = {
        side: {name: statistics.median(t[name] for t in taken) for name in taken[0]}
        for side, taken in turns.items()
    }
    ideal = CONCURRENCY / LATENCY
    return {
        "requests": number,
        "image_bytes": len(picture()) if with_image else 0,
        "ideal_per_second": ideal,
        **sides,
        "share_of_ideal": {side: figures["per_second"] / ideal for side, figures in sides.items()},
        "throughput_ours_to_bare": sides["ours"]["per_second"] / sides["bare"]["per_second"],
        "cpu_ours_to_bare": sides["ours"]["cpu_ms"] / sides["bare"]["cpu_ms"],
        "all_turns": turns,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=8000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--side", choices=["ours", "bare"], help="one side only, in this process")
    parser.add_argument("--url")
    parser.add_argument("--image", action="store_true")
    given = parser.parse_args()
    os.environ["OPENAI_API_KEY"] = "sk-none"
    if given.side:
        side = ours if given.side == "ours" else bare
        print(json.dumps(side(given.url, given.requests, given.image)))
        return
    command = [sys.executable, str(SERVER), "--latency", str(LATENCY), "--until-stdin-closes"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        result = {
            "what": "requests to a loopback endpoint with 200 ms of latency, 256 at a time",
            "date": datetime.date.today().isoformat(),
            "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores (shared with "
            "the endpoint)",
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in ("mgld", "openai", "aiohttp", "httpx2")},
            },
            "text": compare(url, given.rounds, given.requests, False),
            "with_image": compare(url, given.rounds, given.requests // 2, True),
            "resume": resume(given.rows),
        }
        server.stdin.close()  # type: ignore[union-attr]  # a pipe: it was asked for
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        write_text_atomically(given.out, text + "\n")


if __name__ == "__main__":
    main()
