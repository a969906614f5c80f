"""The demo: a small world built, scored, split, asked about, graded and shown; offline, no GPU."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mgld.build.progress import Progress
    from mgld.report.demo_evaluation import DemoEvaluation, DemoProbe

# As many landmarks as two cores build and show in well under three minutes.
DEFAULT_LANDMARKS = 1000


@dataclass(frozen=True)
class DemoSummary:
    """What a demo made: `report` (the page), counts, and what the encoder knows.

    `first`: share of records whose own name ranks first among `names`; `auc`: of RSR, landmarks
    taught often against never taught, None where the world lacks one of the two; `config_name`: a
    subset that can be loaded; `evaluation`: of a stand-in, None where no record is set aside as
    test; `probe`: of the same, None where there is no subset.
    """

    report: Path
    images: int
    landmarks: int
    records: int
    test: int
    names: int
    first: float
    median_rank: float
    auc: float | None
    config_name: str
    evaluation: DemoEvaluation | None
    probe: DemoProbe | None
    seconds: float


def run_demo(
    out: Path, *, landmarks: int, seed: int, workers: int, progress: Progress
) -> DemoSummary:
    """Build a world of `landmarks` with the `nano` encoder in `out` and write `out/report.html`.

    A stand-in for a vision-language model answers its test questions and the rule judge grades it:
    `out/evaluation/report.html`, which the report leads to, as it does to `out/probe/report.html`:
    what the stand-in tells of some landmarks' names and does not see in their images.

    What is there already is kept: a second run only looks and renders again. `seed` keys the draws
    of the build (images, questions, splits); the world itself is the one `nano` was taught from.
    Raises what `mgld.build.build_dataset` and `evaluate_demo` raise.
    """
    from mgld.build import BuildConfig, BuildView, build_dataset
    from mgld.figures import rank_auc, read_records
    from mgld.report.demo_evaluation import evaluate_demo, probe_demo
    from mgld.report.page import write_report
    from mgld.world import read_ground_truth

    began = time.monotonic()
    config = BuildConfig(source=f"world:{landmarks}", encoder="nano", seed=seed)
    build_dataset(config, out, workers=workers, progress=progress)
    view = BuildView(out)
    records = read_records(view)
    test = int(records.test.sum())
    evaluation = evaluate_demo(out, seed=seed, progress=progress) if test else None
    # A random subset: neither what the encoder knows best nor what it knows least.
    subset = f"brs{records.subset_size}" if records.subset_size else None
    probe = probe_demo(out, subset, seed=seed, progress=progress) if subset else None
    report = out / "report.html"
    progress.note(f"report: writing {report}")
    write_report(out, report)

    truth = read_ground_truth(view.source_root())
    auc = None
    if truth is not None:
        at = records.positions(truth["landmark_id"].to_numpy())
        tier = np.array(truth["tier"].to_pylist())[at >= 0]
        rank = records.rank[at[at >= 0]]
        often, never = rank[tier == "often"], rank[tier == "never"]
        auc = rank_auc(often, never) if len(often) and len(never) else None
    return DemoSummary(
        report=report,
        images=view.table("catalog", "images", ["image_id"]).num_rows,
        landmarks=view.table("catalog", "landmarks", ["landmark_id"]).num_rows,
        records=len(records),
        test=test,
        names=records.names,
        first=float(np.mean(records.rank == 1)) if len(records) else 0.0,
        median_rank=float(np.median(records.rank)) if len(records) else 0.0,
        auc=auc,
        evaluation=evaluation,
        probe=probe,
        config_name=f"hds{records.subset_size}" if records.subset_size else "full",
        seconds=time.monotonic() - began,
    )
