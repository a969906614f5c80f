"""One finished build, made once; tests that change a build work on a copy."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from build_source import write_encoder, write_source

from mgld.build import BuildConfig, BuildView, build_dataset, load_config

sys.path.append(str(Path(__file__).parents[1] / "llm"))  # the loopback endpoint, `openai_server`


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("gldv2") / "source")


@pytest.fixture(scope="session")
def config(source: Path, encoder: Path) -> BuildConfig:
    return load_config(
        None,
        {
            "source": str(source),
            "encoder": str(encoder),
            "sizes": [4, 8],
            "test_size": 6,
            "chunk": 16,
        },
    )


@pytest.fixture(scope="session")
def finished(config: BuildConfig, tmp_path_factory: pytest.TempPathFactory) -> BuildView:
    """Do not change it."""
    root = tmp_path_factory.mktemp("finished") / "build"
    build_dataset(config, root)
    return BuildView(root)


@pytest.fixture
def copy(finished: BuildView, tmp_path: Path) -> Path:
    """A build folder of one's own, with the modification times of the original."""
    return Path(shutil.copytree(finished.root, tmp_path / "build"))
