"""The benchmark of embedding runs from end to end; on a GPU it is the same script."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks.speed import embed, embed_sides


def test_the_benchmark_in_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    small = ["--model", "nano", "--device", "cpu", "--images", "6", "--one-core", "2"]
    embed.main([*small, "--rounds", "1", "--batch", "4", "--out", str(tmp_path / "out.json")])
    result = json.loads((tmp_path / "out.json").read_text())
    assert result == json.loads(capsys.readouterr().out)
    assert all(rate["lowest"] > 0 for rate in result["images_per_second"].values())
    beside = result["ours_beside"]
    assert beside["one_core_336_to_floats"] > 1.5  # in CPU time; 2.9 on a machine of its own
    assert (beside["clip_retrieval"], result["gpu"][:12]) == (None, "not measured")


def test_the_share_of_the_peak() -> None:
    """What a GPU's run adds; here of a matrix product on the CPU."""
    encoder = embed_sides.reference_encoder("nano", "cpu", "float32")
    share = embed.share_of_peak(encoder, 10.0)
    weights = sum(p.numel() for p in encoder.model.visual.transformer.parameters())
    # 65 tokens through every weight of the blocks, a multiplication and an addition each
    assert share["operations_per_image"] == pytest.approx(2 * 65 * weights, rel=0.1)
    assert share["operations_per_second"] == 10 * share["operations_per_image"]
    assert 0 < share["share_of_matrix_product"] < 1
