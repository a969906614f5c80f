"""One build of the package for all tests of a worker, and one environment with the wheel alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from package_alone import environment_of
from package_files import build


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist and the wheel."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def wheel(distributions: tuple[Path, Path]) -> Path:
    """The wheel."""
    return distributions[1]


@pytest.fixture(scope="session")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an environment that has the wheel and its base dependencies."""
    return environment_of(wheel, tmp_path_factory.mktemp("alone"))
