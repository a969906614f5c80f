"""A dataset with ten test questions, and caches of inspect in a folder of the test."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HUB = str(Path(__file__).parents[1] / "hub")
if HUB not in sys.path:
    sys.path.append(HUB)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder whose `dataset` is finished. Do not change it."""
    from hub_build import write_build

    from mgld.hub import export_dataset

    folder = write_build(tmp_path_factory.mktemp("inspect") / "build", sizes=[10])
    export_dataset(folder, folder / "dataset")
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
