"""Fixtures: build folders, one of them exported, and a loader with a cache of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_build import write_build
from hub_children import Children
from hub_server import HubServer


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


@pytest.fixture(scope="session")
def hub() -> Iterator[HubServer]:
    """A Hub on loopback; every test has repositories of its own."""
    with HubServer(page_size=5) as server:
        yield server


@pytest.fixture(scope="session")
def children(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Children]:
    """Processes for which `hub` is the Hugging Face Hub."""
    folder = tmp_path_factory.mktemp("children")
    children = Children(hub.env(folder / "hf"), folder)
    yield children
    children.close()


@pytest.fixture(scope="session")
def two_builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An older and a newer small build with a licence and an author in every row, exported."""
    from mgld.hub import export_dataset

    builds = []
    for name, methods in (("old", ["hds", "hss"]), ("new", ["hds"])):
        build = write_build(
            tmp_path_factory.mktemp(name) / "build",
            licensed=True,
            version=name,
            sizes=[10],
            methods=methods,
        )
        export_dataset(build, build / "dataset")
        builds.append(build)
    return builds[0], builds[1]
