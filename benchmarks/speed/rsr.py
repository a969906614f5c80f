"""Exact ranks beside the bare matrix product: `python -m benchmarks.speed.rsr [--out FILE]`.

`--whole` instead: ours alone at the size of Google Landmarks v2's names, 203,094 x 203,094.

M images and N names of d dimensions, shaped like CLIP's (`clip_vectors`), on the CPU. The sides
take turns, in one process, with the same number of threads:

- bare: torch's float32 product, in blocks, the output thrown away;
- count: the same, with the names above the own similarity counted (no ranks one could rely on);
- faiss: IndexFlatIP.search with k = N on a slice of the images, scaled up to all;
- float32: `sim_rsr` with the float32 engine;
- ours: `sim_rsr(backend="cpu")`, which on a processor with AVX-512 VNNI is the int8 engine;
- ours-random: the same with own names drawn at random, whose ranks lie anywhere: the hardest case.

The last three give Sim, rank, RSR, margin and ten nearest names, exactly. What is compiled is
compiled before the turns; how long that took is stated. Seconds are wall time; on a machine that
others use, the processor's seconds of all threads say more.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.clip_vectors import ClipVectors, own_names, write
from mgld.files import write_text_atomically
from mgld.scoring import Scores, sim_rsr

BLOCK = 2048  # images a product of the bare sides
FAISS_IMAGES = 256
ORACLE_IMAGES = 8
WHOLE = 203_094  # landmarks of Google Landmarks v2's train set
WHOLE_ORACLE_IMAGES = 2
GOAL = 0.5


class Data:
    """The vectors, memory-mapped from files, and what each side makes of them."""

    def __init__(self, folder: Path) -> None:
        self.images: NDArray[np.float32] = np.load(folder / "images.npy", mmap_mode="r")
        self.names: NDArray[np.float32] = np.load(folder / "names.npy", mmap_mode="r")
        self.own = own_names(len(self.images), len(self.names))
        self.random = own_names(len(self.images), len(self.names), seed=1)
        self.scores: dict[str, Scores] = {}

    def bare(self, count: bool = False) -> float:
        """Products with torch; returns 1: the share of the images that were done."""
        import torch

        images, names = (torch.from_numpy(np.array(x)) for x in (self.images, self.names))
        own_sim = (images * names[self.own]).sum(dim=1)
        out = torch.empty(BLOCK, len(names))
        self.began()
        for start in range(0, len(images), BLOCK):
            part = images[start : start + BLOCK]
            sims = torch.mm(part, names.T, out=out[: len(part)])
            if count:
                (sims > own_sim[start : start + BLOCK, None]).sum(dim=1, dtype=torch.int32)
        return 1.0

    def faiss(self) -> float:
        """All names sorted for some of the images."""
        import faiss

        index = faiss.IndexFlatIP(self.names.shape[1])
        index.add(np.array(self.names))
        some = np.array(self.images[:: max(1, len(self.images) // FAISS_IMAGES)])
        self.began()
        index.search(some, len(self.names))
        return len(some) / len(self.images)

    def ours(self, engine: str, own: NDArray[np.int64]) -> float:
        """`sim_rsr` as users call it, or held to the float32 engine."""
        from mgld.scoring import int8_choice

        least = int8_choice.LEAST_PRODUCTS
        try:
            if engine == "float32":
                int8_choice.LEAST_PRODUCTS = 2**63
            self.began()
            scores = sim_rsr(self.images, self.names, own, backend="cpu")
        finally:
            int8_choice.LEAST_PRODUCTS = least
        if own is self.own:
            self.scores[engine] = scores
        return 1.0

    def began(self) -> None:
        """The clock starts here: what a side prepares beyond the definition is not counted."""
        self._began = time.perf_counter(), time.process_time()

    def turn(self, side: Callable[[], float]) -> dict[str, float]:
        """Wall and processor seconds of one side for all images."""
        share = side()
        wall, cpu = time.perf_counter() - self._began[0], time.process_time() - self._began[1]
        return {"seconds": wall / share, "cpu_seconds": cpu / share}


def measure(data: Data, rounds: int) -> dict[str, Any]:
    """All sides in turns."""
    sides: dict[str, Callable[[], float]] = {
        "bare": data.bare,
        "ours": lambda: data.ours("int8", data.own),
        "count": lambda: data.bare(count=True),
        "ours-random": lambda: data.ours("int8", data.random),
        "faiss": data.faiss,
        "float32": lambda: data.ours("float32", data.own),
    }
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, side in sides.items():
            if name == "float32" and number:
                continue  # once: it is there for the equality, and as a reference
            turns[name].append(data.turn(side))
            last = turns[name][-1]
            print(f"round {number + 1} {name:12} {last['seconds']:8.2f} s", file=sys.stderr)
    result: dict[str, Any] = {"turns": turns}
    for clock in ("seconds", "cpu_seconds"):
        taken = {name: [turn[clock] for turn in turns[name]] for name in sides}
        bare = min(taken["bare"]), statistics.median(taken["bare"])
        result[clock] = {
            n: {"min": min(t), "median": statistics.median(t)} for n, t in taken.items()
        }
        result[f"{clock}_beside_bare"] = {
            n: {"min": min(t) / bare[0], "median": statistics.median(t) / bare[1]}
            for n, t in taken.items()
        }
    return result


def tiers(data: Data) -> dict[str, float]:
    """Shares of the pairs that each tier leaves, over a sample of the images."""
    from mgld.scoring.distinct import distinct
    from mgld.scoring.int8_engine import TASK_IMAGES, Int8Engine
    from mgld.scoring.int8_task import Task

    engine = Int8Engine(distinct(data.names), data.images)
    step = max(1, len(data.images) // TASK_IMAGES)
    result: dict[str, float] = {}
    for name, own in (("own", data.own), ("random", data.random)):
        rows = np.arange(0, len(data.images), step)
        images = data.images[rows]
        own_sim = engine.exact_sims(images, np.arange(len(rows)), own[rows])
        task = Task(engine._names, images, own_sim, 10)
        near = top = 0
        while not task.done:
            found = task.advance()
            near, top = near + len(found.near), top + len(found.top)
        pairs = len(images) * len(data.names)
        result |= {
            f"{name}: pairs looked at with two digits": task.looked / pairs,
            # The own name is one of them, and no exact sum is made of it.
            f"{name}: pairs left to the exact sum for the rank": (near - len(images)) / pairs,
            f"{name}: exact sums an image for its nearest": top / len(images),
        }
    return result


def beside_oracle(data: Data, ours: Scores, images: int) -> dict[str, bool]:
    """Whether each field of some images is the oracle's."""
    rows = np.linspace(0, len(data.images) - 1, images).astype(int)
    oracle = sim_rsr(data.images[rows], data.names, data.own[rows], backend="oracle")
    return {
        f.name: bool(np.array_equal(getattr(ours, f.name)[rows], getattr(oracle, f.name)))
        for f in fields(Scores)
    }


def equality(data: Data) -> dict[str, Any]:
    """The two engines' scores, every number; and a sample of rows against the oracle."""
    ours, other = data.scores["int8"], data.scores["float32"]
    return {
        "int8 and float32 engine, all images": {
            f.name: bool(np.array_equal(getattr(ours, f.name), getattr(other, f.name)))
            for f in fields(Scores)
        },
        f"int8 engine and oracle, {ORACLE_IMAGES} images": beside_oracle(data, ours, ORACLE_IMAGES),
        "ranks": {
            f"quantile {q}": int(np.quantile(ours.rank, q)) for q in (0.1, 0.25, 0.5, 0.75, 0.9)
        },
    }


def peak(folder: Path, images: int, *, whole: bool = False) -> dict[str, Any]:
    """In a process of its own: what `ours` needs with `images` images, beyond the vectors.

    whole: compare some of its scores with the oracle's afterwards.
    """
    child = [sys.executable, "-m", "benchmarks.speed.rsr", "--peak", str(folder)]
    command = [*child, "--images", str(images), *(["--whole"] if whole else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def print_peak(folder: Path, images: int, *, whole: bool) -> None:
    """The child of `peak`: the most memory that is no mapped file, less that of the libraries."""
    import numba  # noqa: F401
    import torch  # noqa: F401

    data = Data(folder)
    images = min(images, len(data.images))
    begin = _own_memory()
    most, done = [begin], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            most.append(_own_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter(), time.process_time()
    scores = sim_rsr(data.images[:images], data.names, data.own[:images], backend="cpu")
    seconds, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    done.set()
    watcher.join()
    found: dict[str, Any] = {"images": images, "names": len(data.names)}
    found |= {"seconds": seconds, "cpu_seconds": cpu}
    found |= {"before_mib": begin, "most_beyond_that_mib": max(most) - begin}
    if whole:
        found["as the oracle, images"] = WHOLE_ORACLE_IMAGES
        found["as the oracle"] = beside_oracle(data, scores, WHOLE_ORACLE_IMAGES)
    print(json.dumps(found))


def _own_memory() -> float:
    """MiB of resident memory that is not a mapped file."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) / 1024


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--whole", action="store_true", help=f"ours alone, {WHOLE:,} x {WHOLE:,}")
    parser.add_argument("--images", type=int, help="[default: 50,000]")
    parser.add_argument("--names", type=int, help="[default: 50,000]")
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--peak", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.images = given.images or (WHOLE if given.whole else 50_000)
    given.names = given.names or (WHOLE if given.whole else 50_000)
    if given.peak:
        print_peak(given.peak, given.images, whole=given.whole)
        return
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        if os.environ.get(variable) != str(given.threads):  # read when the libraries are loaded
            os.environ |= {"OMP_NUM_THREADS": str(given.threads)}
            os.environ |= {"OPENBLAS_NUM_THREADS": str(given.threads)}
            os.execv(sys.executable, [sys.executable, "-m", "benchmarks.speed.rsr", *sys.argv[1:]])
    import torch

    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vectors = ClipVectors(given.dim)
        write(str(folder / "names.npy"), given.names, vectors)
        own = own_names(given.images, given.names)
        write(str(folder / "images.npy"), given.images, vectors, own)
        about = {
            "what": f"{given.images} images, {given.names} names, {given.dim} dimensions: Sim, "
            "rank, RSR, margin and ten nearest names",
            "date": datetime.date.today().isoformat(),
            "machine": f"{_processor()}, {given.threads} threads",
            "load_before": os.getloadavg()[0],
            "versions": {
                "python": platform.python_version(),
                **{n: version(n) for n in ("mgld", "torch", "numpy", "numba", "faiss-cpu")},
            },
        }
        if given.whole:
            result = {**about, **peak(folder, given.images, whole=True)}
        else:
            result = {**about, **_side_by_side(folder, given)}
        result["load_after"] = os.getloadavg()[0]
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        write_text_atomically(given.out, text + "\n")


def _side_by_side(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """The record of all sides, and of what ours needs."""
    from mgld.scoring import int8_choice

    data = Data(folder)
    began = time.process_time()
    chosen = int8_choice.int8_pays(given.images, given.names, given.dim)
    start = time.process_time() - began
    return {
        "beside": "the bare float32 product",
        "engine": "int8" if chosen else "float32",
        "cpu_seconds_to_compile_and_choose": start,
        "goal": {"ours / bare": GOAL},
        **measure(data, given.rounds),
        "equality": equality(data),
        "tiers": tiers(data) if chosen else None,
        "memory": peak(folder, given.images),
    }


def _processor() -> str:
    """The processor's name as Linux gives it, else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


if __name__ == "__main__":
    main()
