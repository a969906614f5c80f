"""What the settings mean: the encoder behind its name, the annotator behind its.

An encoder's fingerprint is a hash of its weights, so that learning it takes torch and seconds.
`encoder.json` in the build folder remembers, as `source.json` does for the source, for which files
(path, size, modification time in ns), configuration and packages it was taken, and for which
settings: rows quote the encoder's name beside its fingerprint, so that the facts of one encoder are
never taken for another's. A wrong memory of the files spoils nothing: a worker compares the encoder
that it loads with what the build was planned for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgld.build.config import BuildConfig
from mgld.build.manifest import BuildFacts, fingerprint
from mgld.build.runner import Report, Runner
from mgld.files import write_text_atomically

STAGES = {"embeddings", "qa", "entities"}
MEMORY_FILE = "encoder.json"


@dataclass(frozen=True)
class _FactsTask:
    root: Path
    config: BuildConfig
    environment: str

    @property
    def label(self) -> str:
        return f"encoder {self.config.encoder}, annotator {self.config.annotator}"


def learn_facts(
    config: BuildConfig,
    stages: Sequence[str],
    root: Path,
    environment: str,
    runner: Runner,
) -> BuildFacts:
    """Ask encoder and annotator who they are.

    Where no stage needs either, the last answer to the same settings: they may be away by now.
    `environment`: hash of the packages' versions. It is a task like any other: a driver with
    workers imports no torch, and a worker that loads the encoder keeps it for its shards. TaskError
    where one cannot be loaded.
    """
    memory = _recall(root)
    if memory.get("asked") != _asked(config) or STAGES & set(stages):
        task = _FactsTask(root, config, environment)
        ((_, answer),) = runner.run(_ask, [task], lambda _task, _rows: None)
        if answer != memory:
            write_text_atomically(root / MEMORY_FILE, json.dumps(answer, indent=1) + "\n")
        memory = answer
    return BuildFacts(**{name: memory[name] for name in BuildFacts.model_fields})


def forget_encoder(root: Path) -> None:
    """Have the next run load the encoder again."""
    (root / MEMORY_FILE).unlink(missing_ok=True)


def _asked(config: BuildConfig) -> list[str]:
    """The settings that the facts are about."""
    asked = [config.encoder, config.device, config.dtype, config.annotator]
    return [*asked, *config.extra_labels]


def _ask(task: _FactsTask, report: Report) -> dict[str, Any]:
    """What to remember: the facts, and for what they were learnt."""
    from mgld.build.annotating import config_annotator
    from mgld.build.stages.encoder import drop_encoder, loaded_encoder

    drop_encoder()
    annotator = config_annotator(task.config, task.root)
    memory = _recall(task.root)
    # Taken before loading: files that change meanwhile have another one and are read again.
    stamp = _stamp(task)
    if memory.get("stamp") != stamp:
        encoder = loaded_encoder(task.config)
        memory = {
            "stamp": stamp,
            "encoder_fingerprint": encoder.fingerprint,
            "encoder_dtype": encoder.dtype,
            "embed_dim": encoder.embed_dim,
        }
    return memory | {
        "asked": _asked(task.config),
        "annotator_id": annotator.id,
        "prompt_version": annotator.prompt_version,
    }


def _stamp(task: _FactsTask) -> str:
    """Changes when a file, the configuration or a package behind the encoder does."""
    from mgld.vision.resolve import resolve

    found = resolve(task.config.encoder)
    files = [found.weights, found.merges] if found.merges else [found.weights]
    for folder in (found.tokenizer_folder, found.text_folder):
        files += sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
    stats = [(path.absolute(), path.stat()) for path in files]
    return fingerprint(
        [
            [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in stats],
            [found.model_cfg, found.preprocess_cfg],
            [task.config.device, task.config.dtype, task.environment],
        ]
    )


def _recall(root: Path) -> dict[str, Any]:
    try:
        memory: dict[str, Any] = json.loads((root / MEMORY_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}  # nothing remembered: the encoder is loaded
    return memory
