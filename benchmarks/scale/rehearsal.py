"""A build at the size of GLDv2 without its pixels: what each stage takes on this machine.

    python -m benchmarks.scale.rehearsal

Tables, vectors instead of pixels, and annotations come from keyed generators and are not measured
(`source.py`, `vectors.py`, `annotations.py`); every other stage is the real one, run by `mgld build
--stage` in a process of its own (`measure.py`). Called again it measures again; what was generated
is kept. About 30 GB of disk at full size. `--json` writes the record that stands in
`benchmarks/results`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.scale.annotations import fill_annotations
from benchmarks.scale.measure import Cost, measured
from benchmarks.scale.scores import STEP as SCORES
from benchmarks.scale.scores import fill_scores
from benchmarks.scale.source import IMAGES, LANDMARKS, write_tables, write_tars
from benchmarks.scale.vectors import planned, write_images, write_names
from mgld.build import BuildConfig
from mgld.build.config import save_config
from mgld.build.environment import environment
from mgld.build.manifest import MANIFEST_FILE, Manifest
from mgld.files import write_text_atomically

DIM = 768
GOAL_SECONDS, GOAL_MB = 120, 4000
STAGES = ("catalog", "embeddings", "selection", "scores", "splits", "dataset")
Measure = Callable[[list[str]], Cost]


def write_source(root: Path, images: int, landmarks: int) -> None:
    """The generated source, once."""
    marker = root / "complete.txt"
    said = f"{images} images of {landmarks} landmarks\n"
    if marker.is_file():
        if marker.read_text() != said:
            raise ValueError(f"{root} holds {marker.read_text().strip()}: give another --out")
        return
    write_tables(root, images, landmarks)
    write_tars(root, images)
    write_text_atomically(marker, said)


def write_encoder(folder: Path, dim: int) -> None:
    """A random encoder of the right width, which is loaded and never run."""
    import open_clip
    import torch

    from mgld.vision import save_checkpoint

    tower = {"image_size": 32, "patch_size": 16, "width": 32, "layers": 1, "head_width": 16}
    text = {"context_length": 40, "vocab_size": 514, "width": 32, "heads": 2, "layers": 1}
    model = {"embed_dim": dim, "vision_cfg": tower, "text_cfg": text}
    prepare = {"size": [32, 32], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    torch.manual_seed(0)
    save_checkpoint(folder, open_clip.CLIP(**model), model, prepare, [])


def build_command(root: Path, stage: str, workers: int) -> list[str]:
    """`mgld build` of one stage, in a process of its own."""
    program = [sys.executable, "-c", "from mgld.cli import main; main()", "build"]
    program += ["--config", str(root.parent / "settings" / "config.yaml"), "--out", str(root)]
    return [*program, "--stage", stage, "--workers", str(workers)]


def forget(root: Path, stage: str) -> None:
    """Have a stage made again, but for what was generated."""
    if not (root / MANIFEST_FILE).is_file():
        return
    manifest = Manifest.load(root)
    shards = manifest.stage(stage).shards
    kept = ("names-", "images-") if stage == "embeddings" else ()
    for id in [id for id in shards if not (kept and id.startswith(kept))]:
        del shards[id]
    manifest.save(root)


def rehearse(
    out: Path,
    *,
    images: int,
    landmarks: int,
    dim: int = DIM,
    chunk: int = 1024,
    score_chunks: int = 2,
    workers: int = 2,
    stages: tuple[str, ...] = STAGES,
    measure: Measure = measured,
    tell: Callable[[str], None] = print,
) -> dict[str, dict[str, Any]]:
    """Generate what is missing, run the stages, and return what each took."""
    out = out.absolute()
    root, source, encoder = out / "build", out / "source", out / "encoder"
    (out / "settings").mkdir(parents=True, exist_ok=True)
    write_source(source, images, landmarks)
    if not encoder.is_dir():
        write_encoder(encoder, dim)
    config = BuildConfig(source=str(source), encoder=str(encoder), chunk=chunk)
    save_config(config, out / "settings")
    found: dict[str, dict[str, Any]] = {}
    for stage in stages:
        forget(root, stage)
        if stage == "embeddings":
            _generate(root, images, landmarks, workers)
        command = build_command(root, stage, workers)
        if stage == "scores":
            command = [sys.executable, "-m", "benchmarks.scale.scores", str(root)]
            command += [str(score_chunks), str(workers)]
        found[stage] = measure(command).as_dict()
        if stage == "selection":
            fill_annotations(root)
        if stage == "scores":
            fill_scores(root)
            total = len(planned(root, SCORES)[0])
            part = min(score_chunks, total)
            whole = found[stage]["seconds"] * total / part
            found[stage] |= {"chunks": part, "of": total, "extrapolated_seconds": round(whole, 1)}
        tell(f"{stage}: {found[stage]}")
    return found


def _generate(root: Path, images: int, landmarks: int, workers: int) -> None:
    for step, write in (
        ("embeddings/names", lambda: write_names(root)),
        ("embeddings/images", lambda: write_images(root, images, landmarks, workers)),
    ):
        if any(shard.state != "done" for shard in planned(root, step)[0]):
            write()


def table(stages: dict[str, dict[str, Any]]) -> str:
    """The costs as a table in Markdown."""
    lines = ["| stage | seconds | CPU seconds | peak memory | goal |", "|---|--:|--:|--:|---|"]
    for stage, cost in stages.items():
        seconds = f"{cost['seconds']:.0f}"
        met = cost["peak_mb"] < GOAL_MB
        if "chunks" in cost:
            seconds += f" for {cost['chunks']} of {cost['of']} chunks"
            seconds += f" (all: {cost['extrapolated_seconds'] / 60:.0f} min)"
        else:
            met = met and cost["seconds"] < GOAL_SECONDS
        memory = f"{cost['peak_mb'] / 1000:.1f} GB"
        goal = "met" if met else "not met"
        lines.append(f"| {stage} | {seconds} | {cost['cpu_seconds']:.0f} | {memory} | {goal} |")
    return "\n".join(lines)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="default: out/rehearsal-IMAGES")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--landmarks", type=int, default=LANDMARKS)
    parser.add_argument("--score-chunks", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--stage", action="append", choices=STAGES, help="only this; repeatable")
    parser.add_argument("--json", type=Path, help="record to write, or to bring up to date")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    stages = rehearse(
        asked.out or Path(f"out/rehearsal-{asked.images}"),
        images=asked.images,
        landmarks=asked.landmarks,
        score_chunks=asked.score_chunks,
        workers=asked.workers,
        stages=tuple(asked.stage or STAGES),
    )
    print(table(stages))
    if asked.json:
        record = json.loads(asked.json.read_text()) if asked.json.is_file() else {"stages": {}}
        told = {
            "date": date.today().isoformat(),
            "load_before": load,
            "load_after": os.getloadavg()[0],
        }
        for stage in stages:
            record["stages"][stage] = {**stages[stage], **told}
        record["stages"] = {
            name: record["stages"][name] for name in STAGES if name in record["stages"]
        }
        record |= {
            "what": f"{asked.images:,} images of {asked.landmarks:,} landmarks, {DIM} dimensions",
            "goal": {"seconds": GOAL_SECONDS, "peak_mb": GOAL_MB},
            "machine": f"{os.cpu_count()} cores",
            "workers": asked.workers,
            "versions": environment(),
        }
        write_text_atomically(asked.json, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
