"""What the knowledge study needs of a build beside its scores: what was taught, and softmaxes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.nano.detection import Bools, Floats
from benchmarks.nano.plan import PAPER_SIZES
from eeca_ref.recipes.composing import compose
from mgld.build.read import BuildView
from mgld.build.stages.vectors import column_vectors
from mgld.vision import load_encoder
from mgld.world import read_ground_truth
from mgld.world.lexicon import Half

ROWS: Final = 512
"""Images whose softmax is made at once."""
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Taught:
    """Of each landmark: its tier, views of itself, and of the rarest part of its name; [M] each."""

    tier: NDArray[Any]
    views: Ints
    code_views: Ints

    def at(self, rows: Ints) -> Taught:
        """Some of them, in that order."""
        return Taught(self.tier[rows], self.views[rows], self.code_views[rows])


@dataclass(frozen=True)
class Definition:
    """One meaning of "taught". of: the landmarks that it is asked of, and those that were."""

    id: str
    about: str
    of: Callable[[Taught], tuple[Bools, Bools]]


def _tiers(*tiers: str) -> Callable[[Taught], tuple[Bools, Bools]]:
    return lambda facts: (np.ones(len(facts.tier), dtype=np.bool_), np.isin(facts.tier, tiers))


def _at_least(views: int) -> Callable[[Taught], tuple[Bools, Bools]]:
    return lambda facts: (np.ones(len(facts.tier), dtype=np.bool_), facts.code_views >= views)


DEFINITIONS: Final = (
    Definition("ever", "any part of the name was ever shown", _tiers("rare", "some", "often")),
    Definition("known", "taught sometimes or often (VE-Known)", _tiers("some", "often")),
    Definition("often", "taught often", _tiers("often")),
    Definition("parts_1", "each part of the name was shown, if only once", _at_least(1)),
    Definition("parts_100", "each part of the name was shown 100 times", _at_least(100)),
    Definition("parts_1000", "each part of the name was shown 1,000 times", _at_least(1000)),
    Definition(
        "itself",
        "the landmark itself was shown",
        lambda facts: (np.ones(len(facts.tier), dtype=np.bool_), facts.views > 0),
    ),
    # Can a score tell what was seen from what was put together from parts?
    Definition(
        "itself_among_often",
        "the landmark itself was shown, among those whose name's parts were shown often",
        lambda facts: (facts.tier == "often", facts.views > 0),
    ),
)


def taught(view: BuildView, landmark_id: Ints, half: Half) -> Taught:
    """What an encoder that was taught this half of the world knows of these landmarks.

    The world's ground truth is of the western half; of the eastern it is counted anew. ValueError:
    the source is no procedural world.
    """
    root = view.source_root()
    truth = read_ground_truth(root)
    if truth is None:
        raise ValueError(f"{root} is no procedural world: no one knows what was taught of it")
    if half == "west":
        rows = {row["landmark_id"]: row for row in _columns(truth)}
    else:
        rows = counted_anew((root / "world.txt").read_text(encoding="utf-8"), landmark_id, half)
    chosen = [rows[number] for number in landmark_id.tolist()]
    return Taught(
        tier=np.array([row["tier"] for row in chosen]),
        views=np.array([row["taught_views"] for row in chosen], dtype=np.int64),
        code_views=np.array([row["taught_code_views"] for row in chosen], dtype=np.int64),
    )


def _columns(truth: Any) -> list[dict[str, Any]]:
    names = ["landmark_id", "tier", "taught_views", "taught_code_views"]
    rows: list[dict[str, Any]] = truth.select(names).to_pylist()
    return rows


def counted_anew(stamp: str, landmark_id: Ints, half: Half) -> dict[int, dict[str, Any]]:
    """What an encoder of this half was taught of the world with this `world.txt`, by landmark."""
    from mgld.world.curriculum import taught_code_views, taught_views, tier
    from mgld.world.landmark import make_landmark

    found = re.search(r"seed=(\d+)", stamp)
    if found is None:
        raise ValueError(f"the world does not say its seed: {stamp!r}")
    seed = int(found[1])
    rows = {}
    for number in landmark_id.tolist():
        mark = make_landmark(seed, number)
        rows[number] = {
            "tier": tier(mark, half),
            "taught_views": taught_views(mark, half),
            "taught_code_views": taught_code_views(mark, half),
        }
    return rows


def softmax_of(view: BuildView, landmark_id: Ints) -> tuple[Floats, Floats]:
    """Entropy (nats) and largest value of each landmark's softmax over all names; float64 [M].

    Of the stored vectors, at the logit scale that the encoder learnt.
    """
    scale = float(load_encoder(view.config.encoder, device="cpu").model.logit_scale.detach().exp())
    table = view.table("selection", "part", ["landmark_id", "vector"])
    row_of = {number: row for row, number in enumerate(table["landmark_id"].to_pylist())}
    wanted = table.take([row_of[number] for number in landmark_id.tolist()])
    images = column_vectors(wanted["vector"]).astype(np.float64)
    names = view.table("embeddings", "names", ["vector"])
    names_T = column_vectors(names["vector"]).astype(np.float64).T
    entropy, largest = np.empty(len(images)), np.empty(len(images))
    for start in range(0, len(images), ROWS):
        logits = scale * (images[start : start + ROWS] @ names_T)
        logits -= logits.max(axis=1, keepdims=True)
        weights = np.exp(logits)
        total = weights.sum(axis=1)
        part = slice(start, start + len(logits))
        # -sum p log p = log(total) - sum(weights * logits) / total
        entropy[part] = np.log(total) - (weights * logits).sum(axis=1) / total
        largest[part] = 1 / total
    return entropy, largest


def budgets(pool: int) -> dict[str, int]:
    """The sizes that stand for the paper's in the preset `nano`, as far as the pool reaches."""
    found = {}
    for size in PAPER_SIZES:
        config = compose(f"nano/fig5_brs_{size}")["data"]["source"]["config"]
        number = int(config.removeprefix("brs"))
        if number <= pool:
            found[size] = number
    return found
