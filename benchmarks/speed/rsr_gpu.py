"""Exact ranks on a GPU beside the bf16 matrix product: what share of its rate the kernel reaches.

    python -m benchmarks.speed.rsr_gpu [--out FILE]               # 203,094 x 203,094 x 768
    python -m benchmarks.speed.rsr_gpu --sweep                    # other tiles, kernel alone
    TRITON_INTERPRET=1 python -m benchmarks.speed.rsr_gpu --tiny  # on any machine: that it runs

Vectors are shaped like CLIP's (`clip_vectors`). Printed are, of one run:

- the bf16 rate: torch's product of random numbers, 8192 x 8192 x 8192 and at the kernel's depth;
- kernel: `sift_kernel` alone, by device events; its rate is 2 M N d over that, and its share that
  over the first of the bf16 rates (the goal: 0.60);
- recheck: exact sums of what it left open, and the sorting in of the nearest;
- other: rounding, copies, the sample of products, and the host;
- the same for own names drawn at random, whose ranks lie anywhere: the most to recheck;
- images checked against the oracle, all of whose numbers must be equal;
- the largest error of a product over its proven bound.

4,132,914 images are the kernel's and the recheck's time per image, times that many. In Triton's
interpreter the times mean nothing, and the result says that nothing was measured.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.speed.clip_vectors import BLOCK, ClipVectors, own_names
from mgld.files import write_text_atomically
from mgld.scoring import Scores, blocked, sim_rsr
from mgld.scoring.distinct import distinct
from mgld.scoring.triton_engine import Sizes, Tiles, TritonEngine, _Block

FULL, GLDV2_IMAGES, DIM = 203_094, 4_132_914, 768
GOAL = 0.60
TINY = {"images": 40, "names": 300, "dim": 32}
TINY_TILES = Tiles(rows=16, columns=64, depth=32, warps=4, stages=2)
TINY_SIZES = Sizes(images=32, sample=64)
_COUNTED = ("listed_pairs_per_image", "overflowed_images", "equal_to_the_oracle")
SWEEP = [
    Tiles(),
    Tiles(stages=3),
    Tiles(rows=128, columns=128, warps=4, stages=4),
    Tiles(rows=128, columns=128, warps=8, stages=4),
    Tiles(rows=64, columns=256, warps=4, stages=4),
    Tiles(rows=256, columns=128, warps=8, stages=4),
    Tiles(depth=128, stages=2),
]


class Clock:
    """Seconds of the device by part, and how many pairs were listed."""

    def __init__(self, cuda: bool) -> None:
        self.cuda = cuda
        self.seconds: dict[str, float] = {}
        self.pairs = 0
        self.overflowed = 0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add what the device does meanwhile to a part; waits for it."""
        if self.cuda:
            torch.cuda.synchronize()
            events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
            events[0].record()
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        if self.cuda:
            events[1].record()
            torch.cuda.synchronize()
            seconds = events[0].elapsed_time(events[1]) / 1000
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


@contextmanager
def timed(clock: Clock) -> Iterator[None]:
    """Have the engine's own methods counted by `clock`."""
    launch, decide, sifted = _Block.launch, _Block._decide, _Block.sifted

    def timed_launch(self: _Block, first: int, stop: int) -> torch.Tensor:
        with clock.part("kernel"):
            return launch(self, first, stop)

    def timed_decide(self: _Block, rows: torch.Tensor, places: torch.Tensor) -> None:
        clock.pairs += len(rows)
        with clock.part("recheck"):
            decide(self, rows, places)

    def counted(self: _Block) -> Any:
        clock.overflowed += int(self.overflowed.sum())
        return sifted(self)

    _Block.launch, _Block._decide, _Block.sifted = timed_launch, timed_decide, counted  # type: ignore[method-assign]
    try:
        yield
    finally:
        _Block.launch, _Block._decide, _Block.sifted = launch, decide, sifted  # type: ignore[method-assign]


@dataclass(frozen=True)
class Data:
    """images float32 [M, d], names float32 [N, d], own and random int64 [M]: rows of own names."""

    images: NDArray[np.float32]
    names: NDArray[np.float32]
    own: NDArray[np.int64]
    random: NDArray[np.int64]


def draw(images: int, names: int, dim: int) -> Data:
    """Vectors shaped like CLIP's."""
    vectors = ClipVectors(dim)
    own = own_names(images, names)
    name_blocks = [vectors.names(block) for block in range(-(-names // BLOCK))]
    starts = range(0, images, BLOCK)
    image_blocks = [vectors.images(i, own[s : s + BLOCK]) for i, s in enumerate(starts)]
    return Data(
        np.concatenate(image_blocks)[:images],
        np.concatenate(name_blocks)[:names],
        own,
        own_names(images, names, seed=1),
    )


def bf16_rates(clock: Clock, size: int, depth: int) -> dict[str, float]:
    """FLOP/s of torch's product of random bf16, square and [size, depth] by [depth, size]."""
    device = "cuda" if clock.cuda else "cpu"
    rates = {}
    for label, inner in (("square", size), ("depth", depth)):
        a, b = (torch.randn(size, inner, device=device).bfloat16() for _ in range(2))
        out = torch.empty(size, size, dtype=torch.bfloat16, device=device)
        seconds = []
        for _ in range(12):
            once = Clock(clock.cuda)
            with once.part("product"):
                torch.mm(a, b.T, out=out)
            seconds.append(once.seconds["product"])
        rates[label] = 2 * size * size * inner / float(np.median(seconds[3:]))
    return rates


def score(data: Data, own: NDArray[np.int64], clock: Clock, make: Callable[..., Any]) -> Scores:
    """`sim_rsr` with the Triton engine, timed; the second of two runs where that means anything."""
    before = blocked._engine
    blocked._engine = lambda backend, candidates, *others: make(candidates)
    try:
        if clock.cuda:  # compiles, and warms up
            few = slice(0, Sizes().images)
            sim_rsr(data.images[few], data.names, own[few])
        with timed(clock):
            start = time.perf_counter()
            scores = sim_rsr(data.images, data.names, own)
            clock.seconds["total"] = time.perf_counter() - start
    finally:
        blocked._engine = before
    return scores


def against_the_oracle(data: Data, own: NDArray[np.int64], scores: Scores, count: int) -> int:
    """How many sampled images were compared; AssertionError where a number differs."""
    rows = np.linspace(0, len(data.images) - 1, count).astype(int)
    expected = sim_rsr(data.images[rows], data.names, own[rows], backend="oracle")
    for field in fields(expected):
        want, got = getattr(expected, field.name), getattr(scores, field.name)[rows]
        assert np.array_equal(want, got), field.name
    return len(rows)


def worst_error(data: Data, engine: TritonEngine) -> float:
    """The largest error of some products over what is proven of it."""
    images, names = data.images[:256], data.names[:4096]
    own = np.zeros(len(images))
    block = _Block(engine, images, own, 1)
    products = block._products(0, len(names)).double() / 2**16 + block._offset[:, None]
    columns = engine.column[: len(names)].cpu().numpy()
    exact = images.astype(float) @ data.names[columns].astype(float).T
    error = (products.cpu() - torch.from_numpy(exact)).abs() / block._bound.cpu()[:, None]
    return float(error.max())


def figures(clock: Clock, images: int, names: int, dim: int, bf16: float) -> dict[str, Any]:
    """Seconds, rates and shares of one run."""
    seconds = clock.seconds
    rate = 2 * images * names * dim / seconds["kernel"]
    others = seconds["total"] - seconds["kernel"] - seconds["recheck"]
    scale = GLDV2_IMAGES / images
    return {
        "seconds": {**seconds, "other": others},
        "kernel_flops": rate,
        "share_of_bf16": rate / bf16,
        "listed_pairs_per_image": clock.pairs / images,
        "overflowed_images": clock.overflowed,
        "gldv2_seconds": {part: scale * seconds[part] for part in ("kernel", "recheck")},
    }


def sweep(data: Data, clock: Clock, bf16: float) -> list[dict[str, Any]]:
    """The kernel's share of the bf16 rate with other tiles; those that do not fit say so."""
    rows = []
    images = slice(0, Sizes().images)
    candidates = distinct(data.names)
    for tiles in SWEEP:
        row: dict[str, Any] = {"tiles": tiles.__dict__}
        try:
            engine = TritonEngine(candidates, tiles=tiles)
            own_sim = np.full(len(data.images[images]), 0.27)
            block = _Block(engine, data.images[images], own_sim, 10)
            block.floor_from_sample()
            seconds = []
            for _ in range(8):
                once = Clock(clock.cuda)
                with once.part("kernel"):
                    block.launch(0, len(data.names))
                seconds.append(once.seconds["kernel"])
            rate = 2 * len(own_sim) * data.names.size / float(np.median(seconds[3:]))
            row |= {"kernel_flops": rate, "share_of_bf16": rate / bf16}
        except Exception as error:  # out of shared memory, and whatever a new Triton refuses
            row["error"] = f"{type(error).__name__}: {error}"[:200]
        rows.append(row)
    return rows


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The whole result."""
    cuda = torch.cuda.is_available() and not options.tiny
    clock = Clock(cuda)
    shape = TINY if options.tiny else {"images": options.images, "names": FULL, "dim": DIM}
    data = draw(**shape)
    rates = bf16_rates(clock, 8192 if cuda else 64, shape["dim"])

    def make(candidates: Any) -> TritonEngine:
        if cuda:
            return TritonEngine(candidates)
        return TritonEngine(candidates, "cpu", tiles=TINY_TILES, sizes=TINY_SIZES)

    result: dict[str, Any] = {
        "what": "exact ranks by sim_rsr(backend='cuda'), vectors shaped like CLIP's",
        "measured": cuda,
        "shape": shape,
        "date": datetime.date.today().isoformat(),
        "machine": torch.cuda.get_device_name() if cuda else "Triton's interpreter: no times",
        "versions": {name: version(name) for name in ("torch", "triton", "numpy", "mgld")},
        "bf16_flops": rates,
        "goal": {"share_of_bf16": GOAL},
        "worst_error_over_bound": worst_error(data, make(distinct(data.names))),
    }
    for label, own in (("ours", data.own), ("ours-random", data.random)):
        part = Clock(cuda)
        scores = score(data, own, part, make)
        result[label] = figures(part, **shape, bf16=rates["square"])
        result[label]["equal_to_the_oracle"] = against_the_oracle(data, own, scores, options.oracle)
        if not cuda:
            result[label] = {k: v for k, v in result[label].items() if k in _COUNTED}
    if not cuda:
        result["bf16_flops"] = None
    if options.sweep and cuda:
        result["sweep"] = sweep(data, clock, rates["square"])
    return result


def table(result: dict[str, Any]) -> str:
    """What is printed."""
    if not result["measured"]:
        note = "in Triton's interpreter: seconds and rates are not measured"
        checked = [f"{result[x]['equal_to_the_oracle']} images" for x in ("ours", "ours-random")]
        return f"{note}; equal to the oracle: {' and '.join(checked)}"
    lines = [
        f"bf16 product: {result['bf16_flops']['square'] / 1e12:.0f} TFLOP/s "
        f"({result['bf16_flops']['depth'] / 1e12:.0f} at the kernel's depth)"
    ]
    for label in ("ours", "ours-random"):
        part = result[label]
        seconds = ", ".join(f"{name} {value:.3f} s" for name, value in part["seconds"].items())
        lines.append(
            f"{label}: kernel {part['kernel_flops'] / 1e12:.0f} TFLOP/s, "
            f"{part['share_of_bf16']:.0%} of bf16 (goal {GOAL:.0%}); {seconds}; "
            f"{part['listed_pairs_per_image']:.0f} pairs an image rechecked, "
            f"{part['overflowed_images']} images overflowed; GLDv2 (4.13 M images): kernel "
            f"{part['gldv2_seconds']['kernel']:.1f} s, recheck "
            f"{part['gldv2_seconds']['recheck']:.1f} s; {part['equal_to_the_oracle']} images "
            "equal to the oracle"
        )
    lines += [json.dumps(row) for row in result.get("sweep", [])]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=FULL, help=f"M; N is {FULL:,}")
    parser.add_argument("--oracle", type=int, default=4, help="images checked, seconds each")
    parser.add_argument("--sweep", action="store_true", help="time the kernel with other tiles")
    parser.add_argument("--tiny", action="store_true", help="tiny shapes in Triton's interpreter")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    options = parser.parse_args(arguments)
    if options.tiny and os.environ.get("TRITON_INTERPRET") != "1":
        raise SystemExit("--tiny runs in Triton's interpreter: set TRITON_INTERPRET=1")
    if not options.tiny and not torch.cuda.is_available():
        raise SystemExit("this torch finds no CUDA device; with --tiny it runs without, untimed")
    result = measure(options)
    print(table(result))
    if options.out is not None:
        write_text_atomically(options.out, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
