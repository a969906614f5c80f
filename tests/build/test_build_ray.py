"""Builds on a real Ray cluster of two nodes: the same files, whoever is killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ray_cluster import this_machine
from test_build_runner import Number, work

from mgld.build import BuildConfig, BuildView, build_dataset, verify_build
from mgld.build.ray_runner import ray_runner
from mgld.build.runner import TaskError


def run_on_ray(values: list[int]) -> tuple[dict[int, int], int]:
    rows = 0

    def on_rows(task: Number, count: int) -> None:
        nonlocal rows
        rows += count

    with ray_runner("ray", limit=2, device="cpu", threads=1) as (runner, said):
        assert said == "ray: 1 machine, 2 workers"
        tasks = [Number(value) for value in values]
        return {task.value: found for task, found in runner.run(work, tasks, on_rows)}, rows


def test_on_ray(finished: BuildView, config: BuildConfig, tmp_path: Path) -> None:
    """One test, as Ray takes long to start: results, failures, and a whole build."""
    with this_machine():
        values = list(range(10))
        assert run_on_ray(values) == ({n: n * n for n in values}, sum(values))

        with pytest.raises(TaskError, match=r"number -1: ValueError: negative \(test_build_runner"):
            run_on_ray([1, -1])

        with pytest.raises(TaskError, match="number -3: its worker died 3 times"):
            run_on_ray([-3])

        root = tmp_path / "build"
        exchange = (tmp_path / "exchange").as_uri()
        build_dataset(config, root, runner="ray", workers=1, exchange=exchange)
    assert (root / "manifest.json").read_bytes() == (finished.root / "manifest.json").read_bytes()
    assert verify_build(root).ok
    assert not list((tmp_path / "exchange").rglob("*.tmp"))
