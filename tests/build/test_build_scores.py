"""The scores stage, in a worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from mgld.build import BuildConfig, build_dataset
from mgld.build.stages import scores


def test_scores_take_no_more_threads_than_the_worker_has(
    config: BuildConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W workers would else run W times as many threads as there are cores."""
    import torch

    seen = []

    class Watched(scores.NameScorer):
        def score(self, *arguments, **named):  # type: ignore[no-untyped-def]
            seen.append(torch.get_num_threads())
            return super().score(*arguments, **named)

    monkeypatch.setattr(scores, "NameScorer", Watched)
    before = torch.get_num_threads()
    torch.set_num_threads(5)
    try:
        stages = ["catalog", "embeddings", "selection", "scores"]
        build_dataset(config, tmp_path / "build", stages=stages)
        assert torch.get_num_threads() == 5
    finally:
        torch.set_num_threads(before)
        scores._scorer.cache_clear()
    assert seen and set(seen) == {config.threads}
