"""What the settings mean: the encoder behind its name, the annotator behind its."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mgld.build.config import BuildConfig
from mgld.build.manifest import BuildFacts, Manifest
from mgld.build.runner import Report, Runner

STAGES = {"embeddings", "qa", "entities"}


@dataclass(frozen=True)
class _FactsTask:
    config: BuildConfig

    @property
    def label(self) -> str:
        return f"encoder {self.config.encoder}, annotator {self.config.annotator}"


def learn_facts(
    config: BuildConfig, stages: Sequence[str], manifest: Manifest, runner: Runner
) -> BuildFacts:
    """Load encoder and annotator and ask them; the last answer where no stage needs either.

    It is a task like any other: a driver with workers imports no torch, and the worker keeps the
    encoder for its shards. TaskError where one cannot be loaded.
    """
    if manifest.facts is not None and not STAGES & set(stages):
        return manifest.facts
    ((_, facts),) = runner.run(_ask, [_FactsTask(config)], lambda _task, _rows: None)
    return facts


def _ask(task: _FactsTask, report: Report) -> BuildFacts:
    from mgld.annotate import load_annotator
    from mgld.build.stages.encoder import freshly_loaded

    config = task.config
    annotator = load_annotator(config.annotator, seed=config.seed)
    encoder = freshly_loaded(config)
    return BuildFacts(
        encoder_fingerprint=encoder.fingerprint,
        encoder_dtype=encoder.dtype,
        embed_dim=encoder.embed_dim,
        annotator_id=annotator.id,
        prompt_version=annotator.prompt_version,
    )
