"""Measure what an encoder of the procedural world knows, on views it was never shown.

    python -m benchmarks.nano.measure_encoder mgld/vision/nano --write

Prints (and with --write stores as `measurements.json` beside the weights) for landmarks grouped
by how often they were taught: top-1 among 500 names, top-1 within the category, RSR; how well RSR
tells taught from never taught; how RSR grows with exposure; and how well each code of a name is
read from the frozen penultimate patch tokens by a linear probe with few examples.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.nano.lessons import Shown, draw
from benchmarks.nano.train_encoder import PatchTap, pixels
from mgld.files import sha256_file, write_text_atomically
from mgld.vision.checkpoint import CONFIG_FILE, MERGES_FILE, WEIGHTS_FILE
from mgld.world.curriculum import TAUGHT_SEED, TIERS, taught_code_views, tier
from mgld.world.landmark import Landmark, make_landmark
from mgld.world.lexicon import Half
from mgld.world.views import make_view

CANDIDATES = 500
PROBE_EXAMPLES = 300
EXPOSURE_BINS = (0, 1, 10, 30, 100, 300, 100_000)
FRESH = "fresh"


def clear_view(landmark: Landmark, first: int) -> int:
    """The first fresh view from `first` on that shows the landmark (useless ones show nothing)."""
    view = first
    while make_view(landmark, FRESH, view).quality == 0.0:
        view += 1
    return view


def load(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer of a checkpoint folder."""
    from open_clip.model import CLIP
    from open_clip.tokenizer import SimpleTokenizer
    from safetensors.torch import load_file

    config = json.loads((folder / CONFIG_FILE).read_text())["model_cfg"]
    model = CLIP(**config)
    model.load_state_dict(load_file(folder / WEIGHTS_FILE))
    tokenizer = SimpleTokenizer(
        str(folder / MERGES_FILE), context_length=config["text_cfg"]["context_length"]
    )
    return model.eval(), tokenizer


@torch.no_grad()
def features(model: Any, pictures: np.ndarray) -> tuple[Tensor, Tensor]:
    """Unit image vectors [M, d] and mean penultimate patch tokens [M, width]."""
    tap, vectors, patches = PatchTap(model.visual), [], []
    for i in range(0, len(pictures), 256):
        vectors.append(F.normalize(model.encode_image(pixels(pictures[i : i + 256])), dim=-1))
        patches.append(tap.patches().mean(1))
    return torch.cat(vectors), torch.cat(patches)


def ranks(sims: Tensor, own: Tensor) -> Tensor:
    """1 + the number of strictly more similar names, int64 [M]."""
    return 1 + (sims > sims.gather(1, own[:, None])).sum(1)


def probe(x: Tensor, y: Tensor, train: Tensor, test: Tensor) -> float:
    """Accuracy of a ridge classifier on standardised features."""
    mean, std = x[train].mean(0), x[train].std(0) + 1e-5
    z = (x - mean) / std
    target = F.one_hot(y[train], int(y.max()) + 1).float()
    gram = z[train].T @ z[train] + 30.0 * torch.eye(z.shape[1])
    weights = torch.linalg.solve(gram, z[train].T @ (target - target.mean(0)))
    guess = (z[test] @ weights + target.mean(0)).argmax(1)
    return float((guess == y[test]).float().mean())


def auc(positive: Tensor, negative: Tensor) -> float:
    """Probability that a positive exceeds a negative, ties half."""
    higher = (positive[:, None] > negative[None, :]).float()
    equal = (positive[:, None] == negative[None, :]).float()
    return float((higher + 0.5 * equal).mean())


def _bin_label(low: int, high: int) -> str:
    if low == 0:
        return "0 (never)"
    return f"{low}-{high - 1}" if high < EXPOSURE_BINS[-1] else f"{low}+"


def measure(folder: Path, half: Half, count: int) -> dict[str, Any]:
    """All figures, on one clear fresh view of each of `count` landmarks of the taught world."""
    model, tokenizer = load(folder)
    marks = [make_landmark(TAUGHT_SEED, i) for i in range(count)]
    pictures = draw([Shown(TAUGHT_SEED, m.landmark_id, FRESH, clear_view(m, 0)) for m in marks])
    vectors, patches = features(model, pictures)
    names = sorted({m.name for m in marks})
    row = {name: i for i, name in enumerate(names)}
    own = torch.tensor([row[m.name] for m in marks])
    with torch.no_grad():
        texts = F.normalize(model.encode_text(tokenizer(names)), dim=-1)
    sims = vectors @ texts.T
    rsr = 1 - (ranks(sims, own) - 1).double() / (len(names) - 1)

    generator = torch.Generator().manual_seed(0)
    category_of = {m.name: m.category.label for m in marks}
    labels = [category_of[name] for name in names]
    members = {c: torch.tensor([i for i, x in enumerate(labels) if x == c]) for c in set(labels)}
    top1, within, chance = [], [], []
    for i, mark in enumerate(marks):
        others = torch.randperm(len(names), generator=generator)[:CANDIDATES]
        others = others[others != own[i]][: CANDIDATES - 1]
        top1.append(bool((sims[i, others] < sims[i, own[i]]).all()))
        same = members[category_of[mark.name]]
        within.append(bool((sims[i, same] <= sims[i, own[i]]).all()))
        chance.append(1 / len(same))
    tiers = [tier(m, half) for m in marks]
    pick = {t: torch.tensor([i for i, x in enumerate(tiers) if x == t]) for t in TIERS}

    def by_tier(values: Tensor, how: Any) -> dict[str, float]:
        return {t: round(float(how(values[pick[t]])), 4) for t in TIERS}

    views = torch.tensor([taught_code_views(m, half) for m in marks])
    growth = []
    for low, high in pairwise(EXPOSURE_BINS):
        inside = (views >= low) & (views < high)
        if low == 0:
            inside &= torch.tensor([t == "never" for t in tiers])
        growth.append(
            {
                "taught_code_views": _bin_label(low, high),
                "landmarks": int(inside.sum()),
                "median_rsr": round(float(rsr[inside].median()), 4),
                "mean_rsr": round(float(rsr[inside].mean()), 4),
                "top1_of_500": round(float(torch.tensor(top1)[inside].float().mean()), 4),
            }
        )

    known = [i for i, m in enumerate(marks) if m.region.half == half]
    order = torch.tensor(known)[torch.randperm(len(known), generator=generator)]
    train, test = order[:PROBE_EXAMPLES], order[PROBE_EXAMPLES:]
    probes = {}
    targets = defaultdict(list)
    for mark in marks:
        for attribute in (
            "wall colour",
            "roof colour",
            "beacon colour",
            "forecourt colour",
            "foliage colour",
            "companion colour",
            "windows",
            "emblem",
        ):
            targets[attribute].append(mark.attributes[attribute])
        targets["category"].append(mark.category.label)
        targets["place"].append(mark.place)
    for target, values in targets.items():
        classes = sorted(set(values))
        y = torch.tensor([classes.index(v) for v in values])
        probes[target] = {
            "accuracy": round(probe(patches, y, train, test), 4),
            "classes": len({values[i] for i in known}),
        }
    return {
        "weights_sha256": sha256_file(folder / WEIGHTS_FILE),
        "half": half,
        "landmarks": len(marks),
        "names": len(names),
        "per_tier": {t: len(pick[t]) for t in TIERS},
        "top1_of_500": by_tier(torch.tensor(top1).float(), torch.mean),
        "top1_within_category": by_tier(torch.tensor(within).float(), torch.mean),
        "chance_within_category": by_tier(torch.tensor(chance), torch.mean),
        "median_rsr": by_tier(rsr, torch.median),
        "auc_often_against_never": round(auc(rsr[pick["often"]], rsr[pick["never"]]), 4),
        "auc_taught_against_never": round(
            auc(torch.cat([rsr[pick[t]] for t in TIERS[1:]]), rsr[pick["never"]]), 4
        ),
        "growth": growth,
        "probe_examples": PROBE_EXAMPLES,
        "probes": probes,
    }


def main() -> None:
    """Measure and print; optionally store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", choices=("west", "east"), default="west")
    parser.add_argument("--landmarks", type=int, default=2400)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    result = measure(args.folder, args.half, args.landmarks)
    text = json.dumps(result, indent=2, ensure_ascii=False)
    print(text)
    if args.write:
        write_text_atomically(args.folder / "measurements.json", text + "\n")


if __name__ == "__main__":
    main()
