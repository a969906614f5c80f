"""A build killed at any moment goes on where it was and ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from build_process import (
    kill,
    processes_of_session,
    start_build,
    start_command,
    wait_until_gone,
    warm_up,
)

from mgld.build import BuildConfig, BuildView, build_dataset, build_status, verify_build


def assert_same(root: Path, finished: BuildView) -> None:
    """Every output, the manifest and nothing else."""
    assert (root / "manifest.json").read_bytes() == (finished.root / "manifest.json").read_bytes()
    assert verify_build(root).ok
    names = {path.name for path in root.iterdir()}
    assert names == {path.name for path in finished.root.iterdir()}


def test_killed_twenty_times_at_random_moments(config: BuildConfig, tmp_path: Path) -> None:
    root = tmp_path / "build"
    small = config.model_copy(update={"methods": ["hds"], "sizes": [4]})
    warm_up()
    began = time.monotonic()
    process = start_build(small, tmp_path / "whole")
    process.join()
    whole = time.monotonic() - began
    assert process.exitcode == 0
    finished = BuildView(tmp_path / "whole")

    moments = random.Random(20)
    kills = 0
    files_at_kill = set()
    while kills < 20:
        process = start_build(small, root)
        # Short lives, so that one build is killed several times on its way.
        process.join(moments.uniform(0.02, 0.5) * whole)
        if process.exitcode is None:
            process.kill()
            process.join()
        if process.exitcode == -signal.SIGKILL:
            kills += 1
            if (root / "config.yaml").exists():  # written after the first manifest
                files_at_kill.add(len(BuildView(root).manifest.files()))
        else:
            assert process.exitcode == 0
            assert_same(root, finished)
            shutil.rmtree(root)
    build_dataset(small, root)
    assert_same(root, finished)
    # The kills fell into different stages, not all into the first or the last.
    assert len(files_at_kill) >= 4


def wait_for_files(root: Path, folder: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not list((root / folder).glob("*.parquet")):
        assert time.monotonic() < end, f"no {folder} within {seconds} s"
        time.sleep(0.005)


def test_workers_of_a_killed_driver_end_and_a_rerun_finishes(
    finished: BuildView, config: BuildConfig, tmp_path: Path
) -> None:
    root = tmp_path / "build"
    driver = start_command(config, root, workers=2)
    wait_for_files(root, "embeddings", 90)
    assert len(processes_of_session(driver.pid)) >= 2  # driver and a worker at least
    kill(driver.pid)
    driver.communicate()
    assert wait_until_gone(driver.pid, 10)
    assert not build_status(root).complete
    build_dataset(config, root)
    assert_same(root, finished)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_with_a_message(
    finished: BuildView, config: BuildConfig, tmp_path: Path, number: signal.Signals
) -> None:
    """One worker: the signal meets the work itself."""
    root = tmp_path / "build"
    process = start_build(config, root)
    wait_for_files(root, "embeddings", 90)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(30)
    assert process.exitcode == 3
    assert not list(root.rglob("*.tmp"))
    build_dataset(config, root)
    assert_same(root, finished)


def test_ctrl_c_reaches_the_whole_group_and_only_the_driver_speaks(
    finished: BuildView, config: BuildConfig, tmp_path: Path
) -> None:
    root = tmp_path / "build"
    driver = start_command(config, root, workers=2)
    wait_for_files(root, "embeddings", 90)
    os.killpg(driver.pid, signal.SIGINT)
    _, said = driver.communicate(timeout=30)
    assert driver.returncode == 1
    assert "Error: stopped; finished shards are kept" in said
    assert "Traceback" not in said, said
    assert wait_until_gone(driver.pid, 5)
    build_dataset(config, root)
    assert_same(root, finished)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_driver_of_two_workers_killed_twenty_times(
    finished: BuildView, config: BuildConfig, tmp_path: Path
) -> None:
    moments = random.Random(21)
    root = tmp_path / "build"
    kills = 0
    while kills < 20:
        driver = start_command(config, root, workers=2)
        with suppress(subprocess.TimeoutExpired):
            driver.communicate(timeout=moments.uniform(1.0, 15.0))
        if driver.poll() is None:
            kill(driver.pid)
            driver.communicate()
            kills += 1
        else:
            assert driver.returncode == 0
            assert_same(root, finished)
            shutil.rmtree(root)
        assert wait_until_gone(driver.pid, 10)
    build_dataset(config, root, workers=2)
    assert_same(root, finished)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_build_that_is_writing_its_world(
    config: BuildConfig, tmp_path: Path, number: signal.Signals
) -> None:
    """The world's workers end with the driver too, and Ctrl-C does not wait for every archive."""
    root = tmp_path / "build"
    own = config.model_copy(update={"source": "world:300"})
    driver = start_command(own, root, workers=2)
    end = time.monotonic() + 60
    while not list((root / "source").glob("train/.images_*")):  # an archive is being written
        assert time.monotonic() < end
        time.sleep(0.01)
    os.killpg(driver.pid, number) if number == signal.SIGINT else kill(driver.pid)
    _, said = driver.communicate(timeout=60)
    assert "Traceback" not in said, said
    assert wait_until_gone(driver.pid, 10)
    assert len(list((root / "source").glob("train/images_*.tar"))) <= 2
