"""The "cuda" backend's kernels on the CPU, in Triton's interpreter, against the oracle.

Run as a program by `test_scoring_triton.py`, with TRITON_INTERPRET=1: Triton reads that when it is
imported, once for a process. Prints what was seen as one JSON line.
"""

import json
from collections import Counter
from typing import ClassVar

import numpy as np
import pytest
import torch
from test_scoring_sim_rsr import FAMILIES, check, unit

from mgld.scoring import blocked, device_pairs, half_precision, triton_engine
from mgld.scoring.exact import exact_sim_pairs
from mgld.scoring.triton_engine import Sizes, Tiles, TritonEngine

TILES = Tiles(rows=16, columns=64, depth=32, warps=4, stages=2)


class Watched(TritonEngine):
    """Counts which ways its images went."""

    seen: ClassVar[Counter] = Counter()

    def sift(self, images, own_sim, count):
        first, *others = super().sift(images, own_sim, count)
        self.seen["images"] += len(images)
        self.seen["sifts_of_overflowed"] += len(others)
        self.seen["certainly_above"] += int(first.above.sum())
        self.seen["unsure"] += len(first.near[0])
        yield first
        yield from others


def use(sizes):
    """Let every backend but the oracle be the Triton engine on the CPU."""
    blocked._engine = lambda backend, candidates, *others: Watched(
        candidates, "cpu", tiles=TILES, sizes=sizes
    )


def against_the_oracle(rounds):
    """How many images went which way, all with the oracle's numbers."""
    Watched.seen = Counter()
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        for family in FAMILIES:
            shape = rng.integers([0, 1, 2], [40, 300, 40])
            images, names = family(rng, *(int(x) for x in shape))
            if seed % 2:
                names = names[rng.integers(0, len(names), len(names))]
            own = rng.integers(0, len(names), len(images))
            sample, growth, words = (int(x) for x in rng.integers([3, 1, 1], [90, 4, 6]))
            use(Sizes(images=19, sample=sample, growth=growth, words=words, at_once=60))
            check(images, names, own, k=int(rng.integers(1, 12)), backend="cuda")
    return dict(Watched.seen)


def sums():
    """The exact sums, also at CLIP's dimension and where a step does not divide it."""
    for seed, dim in enumerate((1, 5, 130, 768)):
        rng = np.random.default_rng(seed)
        a, b = unit(rng.normal(size=(9, dim))), unit(rng.normal(size=(50, dim)))
        rows, columns = rng.integers(0, 9, 300), rng.integers(0, 50, 300)
        tensors = (torch.from_numpy(x) for x in (a, b, rows, columns))
        sims = device_pairs.exact_sums(*tensors).numpy()
        expected = exact_sim_pairs(a, rows, b, columns)
        assert ((sims == expected) | np.isnan(sims)).all()
        # Short sums often lie just between two float64.
        assert np.isnan(sims).mean() < (0.2 if dim < 768 else 0.01)


def main():
    device_pairs._PAIRS_PER_PROGRAM = 256  # the interpreter's cost is per program
    seen = {"as_it_is": against_the_oracle(4)}
    sums()
    with pytest.MonkeyPatch.context() as patch:
        # As if no sum could be rounded on the device: all is left to the recheck.
        patch.setattr(device_pairs, "tail_slack", lambda dim: 1e-9)
        seen["all_unsure"] = against_the_oracle(1)
    with pytest.MonkeyPatch.context() as patch:
        # The families have teeth: with a bound of nothing the ranks are wrong.
        patch.setattr(
            half_precision.HalfNames,
            "error_bound",
            lambda self, images: torch.zeros_like(images.length),
        )
        with pytest.raises(AssertionError, match="rank"):
            against_the_oracle(1)
    with pytest.MonkeyPatch.context() as patch:
        # A unit that adds less exactly than is assumed is found out.
        patch.setattr(triton_engine, "accumulation_error", lambda dim: 0.0)
        with pytest.raises(RuntimeError, match="this GPU adds float16 products less exactly"):
            against_the_oracle(1)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
