"""How well scores find what an encoder was really taught, and which rule makes the purest subset.

python -m benchmarks.nano.knowledge BUILD [--out FILE]

Of photographs no one knows what CLIP has seen; a procedural world's encoder was taught what
`mgld.world.curriculum` says. Sim and RSR are held against the margin and two scores that need no
name: the entropy and the largest value of the softmax over all names, at the encoder's own scale.
All are of the training pool, from which subsets are chosen. No time and no path is written: the
same build gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.nano.data import SPLIT
from benchmarks.nano.detection import (
    Bools,
    Floats,
    area,
    area_difference,
    area_interval,
    roc_at,
)
from benchmarks.nano.knowledge_facts import DEFINITIONS, Taught, budgets, softmax_of, taught
from benchmarks.nano.record import RESULTS, rounded
from mgld.build.read import BuildView
from mgld.evaluate.intervals import wilson
from mgld.evaluate.paired import sign_flip_p
from mgld.evaluate.questions import open_questions
from mgld.figures import ScoredRecords, read_records
from mgld.files import write_text_atomically
from mgld.scoring import select
from mgld.world.lexicon import Half

KNOWLEDGE_FILE: Final = "knowledge.json"
ALPHA: Final = 0.05
"""What the exact sign test calls different."""
SCORES: Final = ("rsr", "sim", "margin", "entropy", "max_softmax")
RULES: Final = (
    "hds", "hss", "lcs_complement", "margin", "entropy", "max_softmax", "brs", "lcs",
)  # fmt: skip
SHOWN: Final = ("ever", "known", "often")
"""Definitions with curves and purities, besides areas."""
FALSE_RATES: Final = np.unique(np.concatenate([np.linspace(0, 0.1, 21), np.linspace(0.1, 1, 46)]))


@dataclass(frozen=True)
class Pool:
    """The training records, by landmark_id: their scores [M] (higher: better known), and names."""

    records: ScoredRecords
    inside: NDArray[np.int64]
    scores: dict[str, Floats]
    taught: Taught

    @property
    def names(self) -> list[str]:
        """The name of each."""
        return [self.records.name[row] for row in self.inside]


def study(
    view: BuildView, half: Half = "west", sizes: dict[str, int] | None = None
) -> dict[str, Any]:
    """All of it, as it is written.

    sizes: of subsets, by the paper's; None: those of the preset `nano` that the pool can fill.
    FileNotFoundError: the build is not complete. ValueError: its source is no procedural world, so
    that no one knows what was taught.
    """
    pool = pool_of(view, half)
    sizes = budgets(len(pool.inside)) if sizes is None else sizes
    orders = {rule: order_of(pool, rule, view.config.seed) for rule in RULES}
    found: dict[str, Any] = {
        "encoder": view.config.encoder,
        "taught": half,
        "names": pool.records.names,
        "pool": len(pool.inside),
        "test": int(pool.records.test.sum()),
        "questions_sha256": _questions(view),
        "sizes": sizes,
        "definitions": {},
    }
    for definition in DEFINITIONS:
        among, positive = definition.of(pool.taught)
        if 0 < int((positive & among).sum()) < int(among.sum()):
            found["definitions"][definition.id] = {
                "about": definition.about,
                **_detection(pool, among, positive),
                **(_curves(pool, positive) if definition.id in SHOWN else {}),
                **(
                    _selection(orders, positive, list(sizes.values()))
                    if definition.id in SHOWN
                    else {}
                ),
            }
    result: dict[str, Any] = rounded(found)
    return result


def pool_of(view: BuildView, half: Half) -> Pool:
    """The build's training records with all scores."""
    records = read_records(view)
    facts = taught(view, records.landmark_id, half)
    inside = np.flatnonzero(~records.test)
    entropy, largest = softmax_of(view, records.landmark_id[inside])
    scores = {
        "rsr": records.rsr[inside],
        "sim": records.sim[inside],
        "margin": records.margin[inside],
        "entropy": -entropy,
        "max_softmax": largest,
    }
    return Pool(records, inside, scores, facts.at(inside))


def order_of(pool: Pool, rule: str, seed: int) -> NDArray[np.int64]:
    """Positions in the pool, first to be chosen first; a subset is a prefix. rule: of `RULES`."""
    ids = pool.records.landmark_id[pool.inside]
    if rule in pool.scores:
        return np.lexsort((ids, -pool.scores[rule]))
    chosen = select(
        pool.scores["sim"],
        pool.records.rank[pool.inside],
        pool.scores["rsr"],
        pool.scores["margin"],
        ids,
        method="lcs" if rule == "lcs_complement" else rule,
        size=len(ids),
        seed=seed,
    )
    return chosen[::-1] if rule == "lcs_complement" else chosen


def _detection(pool: Pool, among: Bools, positive: Bools) -> dict[str, Any]:
    """Areas with intervals, differences from RSR's, and the curves."""
    y = positive[among]
    names = np.array(pool.names)[among]
    # Landmarks of one name were taught together: they are one witness.
    counts = len(set(names[y])), len(set(names[~y]))
    scores = {name: pool.scores[name][among] for name in SCORES}
    areas = {}
    for name, score in scores.items():
        auc = area(score, y)
        low, high = area_interval(auc, *counts)
        areas[name] = {"auc": auc, "low": low, "high": high}
        if name != "rsr":
            less = area_difference(score, scores["rsr"], y)
            areas[name]["over_rsr"], areas[name]["over_low"], areas[name]["over_high"] = less
    return {
        "landmarks": int(among.sum()),
        "taught": int(y.sum()),
        "areas": areas,
    }


def _curves(pool: Pool, y: Bools) -> dict[str, Any]:
    """The ROC curves, at false positive rates that are dense where they are low."""
    return {
        "false_rates": FALSE_RATES.tolist(),
        "true_rates": {name: roc_at(pool.scores[name], y, FALSE_RATES).tolist() for name in SCORES},
    }


def _selection(
    orders: dict[str, NDArray[np.int64]], positive: Bools, sizes: list[int]
) -> dict[str, Any]:
    """Of the first k by each rule, those taught: at each budget, and along the pool."""
    pool = len(positive)
    steps = sorted({round(pool * k / 40) for k in range(1, 41)} - {0})
    hits = {rule: np.cumsum(positive[order]) for rule, order in orders.items()}
    precision: dict[str, dict[str, Any]] = {}
    for rule, found in hits.items():
        precision[rule] = {}
        for size in sizes:
            count = int(found[size - 1])
            low, high = wilson(count / size, size)
            precision[rule][str(size)] = {
                "taught": count, "precision": count / size, "low": low, "high": high,
            }  # fmt: skip
    return {
        "chance": float(positive.mean()),
        "best_possible": {str(size): min(1.0, int(positive.sum()) / size) for size in sizes},
        "precision": precision,
        "purest": {str(size): _purest(orders, positive, size) for size in sizes},
        "along": {"sizes": steps}
        | {rule: [float(found[k - 1]) / k for k in steps] for rule, found in hits.items()},
    }


def _purest(
    orders: dict[str, NDArray[np.int64]], positive: Bools, size: int
) -> dict[str, list[str]]:
    """The rules that are highest, and those that the exact sign test does not tell from the first
    of them, over the records that one of the two chose and the other did not."""
    taught = {rule: np.zeros(len(positive), dtype=np.int64) for rule in RULES}
    for rule, mine in taught.items():
        mine[orders[rule][:size]] = positive[orders[rule][:size]]
    count = {rule: int(mine.sum()) for rule, mine in taught.items()}
    highest = [rule for rule in RULES if count[rule] == max(count.values())]
    rows = np.arange(len(positive))
    return {
        "highest": highest,
        "not_told_apart": [
            rule
            for rule in RULES
            if rule not in highest and sign_flip_p(taught[rule] - taught[highest[0]], rows) >= ALPHA
        ],
    }


def _questions(view: BuildView) -> str:
    """Of the build's test questions, as runs record it: the same build, the same encoder."""
    questions = open_questions(str(view.root), config="eval", split=SPLIT)
    return questions.identity.questions_sha256


def write_study(
    view: BuildView, out: Path, half: Half = "west", sizes: dict[str, int] | None = None
) -> dict[str, Any]:
    """Write the study of a build to `out`; what `study` gives."""
    found = study(view, half, sizes)
    write_text_atomically(out, json.dumps(found, indent=1, allow_nan=False) + "\n")
    return found


def main() -> None:
    """Study a build and say the areas."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("build", type=Path, help="build of a procedural world")
    parser.add_argument("--out", type=Path, default=RESULTS / KNOWLEDGE_FILE)
    given = parser.parse_args()
    found = write_study(BuildView(given.build), given.out)
    for each in found["definitions"].values():
        words = ", ".join(f"{name} {value['auc']:.3f}" for name, value in each["areas"].items())
        print(f"{each['about']} ({each['taught']:,} of {each['landmarks']:,}): {words}")
    print(given.out)


if __name__ == "__main__":
    main()
