"""Memory by formula; against the real engine: `python -m benchmarks.speed.zero_memory`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eeca_ref.config import EecaConfig
from eeca_ref.training.memory import (
    ParameterCounts,
    Stage,
    activations,
    model_states,
    parameter_counts,
)

ALL = ("lr_adapter", "resampler", "language_model", "classifier", "log_tau")
RESULT = Path(__file__).parents[2] / "benchmarks" / "results" / "zero_memory.json"


@pytest.fixture(scope="module")
def paper() -> ParameterCounts:
    return parameter_counts(EecaConfig(hierarchical_labels=["church", "lake"]), ALL)


def test_the_papers_model_has_the_sizes_of_its_parts(paper: ParameterCounts) -> None:
    # Llama-3-8B 8.03e9, two-layer MLP 21.0e6, resampler 14.8e6; 23 of 24 layers of ViT-L/14-336
    assert paper.trained == pytest.approx(8.030e9 + 21.0e6 + 14.8e6, rel=1e-3)
    assert paper.frozen == pytest.approx(291e6, rel=0.01)
    adapter = parameter_counts(EecaConfig(hierarchical_labels=["a"]), ("lr_adapter",))
    assert adapter.trained == 1024 * 4096 + 4096 + 4096 * 4096 + 4096
    assert adapter.trained + adapter.frozen == paper.trained + paper.frozen - 4097


@pytest.mark.parametrize(
    ("stage", "devices", "per_parameter"),
    [
        (0, 1, 16),
        (0, 8, 16),
        (1, 1, 20),
        (1, 8, 9.5),
        (2, 1, 18),
        (2, 8, 4),
        (3, 1, 18),
        (3, 8, 2.25),
    ],
)
def test_bytes_of_a_trained_parameter(stage: Stage, devices: int, per_parameter: float) -> None:
    states = model_states(
        ParameterCounts(trained=8_000_000, frozen=0), stage=stage, devices=devices
    )
    assert states.total == 8_000_000 * per_parameter


def test_what_is_frozen_has_no_gradient_and_no_optimizer_state() -> None:
    one = ParameterCounts(trained=1000, frozen=0)
    more = ParameterCounts(trained=1000, frozen=800)
    for stage, extra in ((0, 4 * 800), (1, 2 * 800), (2, 2 * 800), (3, 2 * 800 // 4)):
        with_, without = (model_states(each, stage=stage, devices=4) for each in (more, one))
        assert with_.total - without.total == extra
        assert with_.model_dump(exclude={"parameters"}) == without.model_dump(
            exclude={"parameters"}
        )


def test_buckets_and_small_parameters() -> None:
    counts = ParameterCounts(trained=1000, frozen=0, small=10)
    assert model_states(counts, stage=2, devices=2, bucket=100).buckets == 200
    assert model_states(counts, stage=3, devices=2, bucket=5000).buckets == 2000
    assert model_states(counts, stage=1, devices=2, bucket=100).buckets == 0
    assert model_states(counts, stage=3, devices=2).parameters == 1000 + 20


def test_checkpointing_keeps_a_layers_input_alone() -> None:
    config = EecaConfig(hierarchical_labels=["church"])
    size: dict[str, Any] = {"micro_batch": 2, "positions": 1000}
    with_, without = (activations(config, **size, checkpointing=each) for each in (True, False))
    layer = 2 * 2000 * (8 * 4096 + 2 * (4096 + 2 * 1024) + 4 * 14336)
    assert without - with_ == 31 * layer - 32 * 2 * 2000 * 4096
    twice = activations(config, micro_batch=4, positions=1000)
    assert twice - with_ < with_  # the gradient of the head's weights is there once


def test_the_measured_point_agrees() -> None:
    """What `benchmarks/speed/zero_memory.py` found with the real engine, and wrote down."""
    result = json.loads(RESULT.read_text())
    assert {(point["stage"], point["processes"]) for point in result["measured"]} == {
        (stage, processes) for stage in range(4) for processes in (1, 2)
    }
    for point in result["measured"]:
        counts = ParameterCounts.model_validate(point["counts"])
        expected = model_states(
            counts, stage=point["stage"], devices=point["processes"], bucket=point["bucket"]
        )
        if point["stage"] == 2:  # given back at the end of the backward pass
            expected = expected.model_copy(update={"buckets": 0})
        assert point["bytes"]["total"] == pytest.approx(expected.total, rel=0.01)
