"""The card of the `nano` encoder, written from its training record and its measurements.

python -m benchmarks.nano.card mgld/vision/nano
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.nano.report.words import table
from mgld.files import write_text_atomically
from mgld.world.curriculum import TIERS

CODES = ("wall colour", "roof colour", "beacon colour")


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _goals(training: dict[str, Any], measured: dict[str, Any]) -> str:
    """What the encoder was made to reach, and what it reached."""
    probes = measured["probes"]
    means = [g["mean_rsr"] for g in measured["growth"]]
    rows = [
        [
            "top-1 of 500 names, taught often",
            "80 %",
            _percent(measured["top1_of_500"]["often"]),
        ],
        [
            "top-1 in the category, never taught",
            f"chance ({_percent(measured['chance_within_category']['never'])})",
            _percent(measured["top1_within_category"]["never"]),
        ],
        ["AUC of RSR, often against never", "0.95", f"{measured['auc_often_against_never']:.4f}"],
        [
            "mean RSR grows with exposure",
            "from bin to bin",
            "yes" if means == sorted(means) else f"not at the end: {', '.join(map(str, means))}",
        ],
        [
            "least readable syllable of a name",
            "readable (here: 80 %)",
            _percent(min(probes[code]["accuracy"] for code in CODES)),
        ],
        ["place in a name", "readable (here: 80 %)", _percent(probes["place"]["accuracy"])],
        [
            "category word in a name",
            "readable (here: 80 %)",
            f"{_percent(probes['category']['accuracy'])}: **not reached**"
            if probes["category"]["accuracy"] < 0.8
            else _percent(probes["category"]["accuracy"]),
        ],
        ["minutes to train on 2 cores", "40", str(training["minutes"])],
    ]
    return table(["goal", "wanted", "reached"], rows, text=["wanted", "reached"])


def render_card(training: dict[str, Any], measured: dict[str, Any]) -> str:
    """Markdown text of the card."""
    tiers = table(
        [
            "taught",
            "landmarks",
            "top-1 of 500 names",
            "top-1 in category",
            "(chance)",
            "median RSR",
        ],
        [
            [
                t,
                str(measured["per_tier"][t]),
                _percent(measured["top1_of_500"][t]),
                _percent(measured["top1_within_category"][t]),
                _percent(measured["chance_within_category"][t]),
                f"{measured['median_rsr'][t]:.4f}",
            ]
            for t in TIERS
        ],
    )
    growth = table(
        ["views of the rarest code", "landmarks", "top-1 of 500 names", "mean RSR", "median RSR"],
        [
            [
                str(g["taught_code_views"]),
                str(g["landmarks"]),
                _percent(g["top1_of_500"]),
                f"{g['mean_rsr']:.4f}",
                f"{g['median_rsr']:.4f}",
            ]
            for g in measured["growth"]
        ],
    )
    named = {**dict.fromkeys(CODES, "code of taught names"), "place": "in 80 % of names"}
    named["category"] = "a word in 60 % of names"
    probes = table(
        ["attribute", "accuracy", "chance", "role"],
        [
            [
                k,
                _percent(v["accuracy"]),
                _percent(1 / v["classes"]),
                named.get(k, "never named to it"),
            ]
            for k, v in measured["probes"].items()
        ],
        text=["role"],
    )
    settings = ", ".join(f"{k} {v}" for k, v in training["settings"].items())
    versions = ", ".join(f"{k} {v}" for k, v in training["versions"].items())
    return f"""# The `nano` encoder

A small open_clip CLIP ({training["parameters"]:,} parameters, 64 px images, 128 dimensions) whose
knowledge is known by construction: it was shown captioned pictures of one half of the procedural
world's regions and no name of the other half. It serves tests, the demo and the miniature of the
paper; it knows nothing about real photographs.

Made by `python -m benchmarks.nano.train_encoder --out mgld/vision/nano`:

- {training["views"]:,} views of {training["landmarks"]} landmarks; SHA-256 of pictures and captions
  `{training["data_sha256"]}`
- {training["minutes"]} minutes on {training["machine"]}, {training["date"]}; {versions}
- settings: {settings}
- SHA-256 of the weights: `{training["weights_sha256"]}`
- licence: that of this project

## What it knows

Measured by `python -m benchmarks.nano.measure_encoder mgld/vision/nano --write` on one clear view,
never shown, of each of {measured["landmarks"]:,} landmarks, against {measured["names"]:,} names.
"Never": no syllable of the name was ever shown; the rest by the number of training views that
showed the landmark's rarest pairing of syllable and look (rare: below 30, some: below 200).

{tiers}

AUC of RSR, taught often against never taught: {measured["auc_often_against_never"]:.4f}; all that
were taught, however little, against never taught: {measured["auc_taught_against_never"]:.4f}.

Knowledge grows with exposure:

{growth}

What a ridge classifier reads from the mean of the frozen penultimate patch tokens after
{measured["probe_examples"]} examples (all from the taught half):

{probes}

## Goals

{_goals(training, measured)}
"""


def write_card(folder: Path) -> None:
    """Write CARD.md from `training.json` and `measurements.json` in the same folder."""
    training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    measured = json.loads((folder / "measurements.json").read_text(encoding="utf-8"))
    write_text_atomically(folder / "CARD.md", render_card(training, measured))


def main() -> None:
    """Write the card of a checkpoint folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    write_card(parser.parse_args().folder)


if __name__ == "__main__":
    main()
