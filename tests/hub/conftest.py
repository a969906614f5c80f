"""Fixtures: build folders, one of them exported, and a loader with a cache of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_build import write_build


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return write_build(tmp_path / "build")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(build folder, its exported dataset folder), not to be written to."""
    from mgld.hub import export_dataset

    build = write_build(tmp_path_factory.mktemp("exported") / "build")
    export_dataset(build, build / "dataset")
    return build, build / "dataset"


@pytest.fixture
def load_here(tmp_path: Path) -> Callable[..., Any]:
    """`mgld.load` with a cache of the test's own."""
    import mgld

    def load(*args: Any, **kw: Any) -> Any:
        return mgld.load(*args, cache_dir=str(tmp_path / "cache"), **kw)

    return load
