"""Builds on a Ray cluster of two nodes in which workers and drivers are killed.

`make slow` runs them; what one run said is in benchmarks/results/ray_kills.json, which
`python -m benchmarks.scale.ray_kills` writes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from build_process import kill
from build_source import write_encoder
from ray_cluster import LocalCluster, local_cluster

from mgld.build import BuildConfig, BuildView, build_dataset, load_config, verify_build
from mgld.build.config import save_config
from mgld.world import write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster() as running:
        yield running


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> BuildConfig:
    """Some tars of hundreds of images, so that a kill finds a worker in the middle of one."""
    base = tmp_path_factory.mktemp("large")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "IMAGES_PER_TAR", 400)
        write.write_world(base / "source", landmarks=150, workers=2)
    settings = {"source": str(base / "source"), "encoder": str(write_encoder(base / "encoder"))}
    return load_config(None, {**settings, "chunk": 128})


@pytest.fixture(scope="module")
def expected(large: BuildConfig, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The manifest of the local runner: hashes of every file."""
    root = tmp_path_factory.mktemp("local") / "build"
    build_dataset(large, root, workers=2)
    return (root / "manifest.json").read_bytes()


def start_driver(config: BuildConfig, root: Path, *options: str) -> subprocess.Popen[str]:
    """`mgld build` on the cluster, in a process of its own."""
    settings = root.parent / "settings"
    settings.mkdir(exist_ok=True)
    save_config(config, settings)
    command = [sys.executable, "-c", "from mgld.cli import main; main()", "build"]
    command += ["--config", str(settings / "config.yaml"), "--out", str(root), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(driver: subprocess.Popen[str]) -> str:
    """Wait for a driver that is to succeed; what it said of its progress."""
    _, said = driver.communicate(timeout=900)
    assert driver.returncode == 0, said
    return said


def assert_same(root: Path, expected: bytes) -> None:
    """Nothing lost, nothing twice, every byte that of the local runner."""
    assert (root / "manifest.json").read_bytes() == expected
    assert verify_build(root).ok
    assert not (root / ".work").exists()


def wait_for_embedding(cluster: LocalCluster, driver: subprocess.Popen[str]) -> int:
    """The pid of a worker that is writing the vectors of a tar."""
    end = time.monotonic() + 300
    while True:
        assert driver.poll() is None, driver.communicate()
        assert time.monotonic() < end
        for worker in cluster.workers():
            with suppress(psutil.Error):
                if any("/.work/" in f.path and "/images-" in f.path for f in worker.open_files()):
                    return worker.pid
        time.sleep(0.005)


def test_a_worker_killed_in_the_middle_of_a_tar(
    cluster: LocalCluster, large: BuildConfig, expected: bytes, tmp_path: Path
) -> None:
    root = tmp_path / "build"
    driver = start_driver(large, root, "--runner", "ray")
    killed = wait_for_embedding(cluster, driver)
    kill(killed)
    assert "ray: 2 machines, 2 workers" in finish(driver)
    assert_same(root, expected)


def test_the_driver_killed_in_the_middle_of_a_tar_and_started_again(
    cluster: LocalCluster, large: BuildConfig, expected: bytes, tmp_path: Path
) -> None:
    root = tmp_path / "build"
    for runner in ("ray", "ray", cluster.client):
        driver = start_driver(large, root, "--runner", runner)
        wait_for_embedding(cluster, driver)
        kill(driver.pid)
        driver.communicate()
        end = time.monotonic() + 90
        while cluster.workers():  # Ray ends the actors of a driver that is gone
            assert time.monotonic() < end
            time.sleep(0.2)
        kept = {path: (root / path).stat().st_ino for path in BuildView(root).manifest.files()}
        assert kept
    finish(start_driver(large, root, "--runner", "ray"))
    assert_same(root, expected)
    # What was finished before the kill was not made again.
    assert {path: (root / path).stat().st_ino for path in kept} == kept


def test_through_a_client_and_an_exchange_with_workers_killed(
    cluster: LocalCluster, large: BuildConfig, expected: bytes, tmp_path: Path
) -> None:
    """The machines see no common build folder; workers die while they compute."""
    root, exchange = tmp_path / "build", tmp_path / "exchange"
    url = os.environ.get("MGLD_TEST_EXCHANGE", exchange.as_uri())
    driver = start_driver(large, root, "--runner", cluster.client, "--exchange", url)
    for _ in range(2):
        kill(wait_for_embedding(cluster, driver))
        time.sleep(1)
    finish(driver)
    assert_same(root, expected)


def test_a_shard_that_kills_its_worker_is_named(
    cluster: LocalCluster, large: BuildConfig, tmp_path: Path
) -> None:
    """Whoever is given the first tar is killed; there is one worker, and it is given that again."""
    root = tmp_path / "build"
    driver = start_driver(large, root, "--runner", "ray", "--workers", "1")
    for _ in range(3):
        kill(wait_for_embedding(cluster, driver))
        time.sleep(1)
    _, said = driver.communicate(timeout=120)
    assert driver.returncode == 1
    assert "Error: embeddings/images-images_000.tar: its worker died 3 times" in said
    assert "the same command goes on from here" in said
    assert "Traceback" not in said
