"""A model in a folder and a dataset to ask it about."""

from __future__ import annotations

from pathlib import Path

import pytest
from eeca_cli_model import save_model


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and its processor as training writes them. Do not change it."""
    return save_model(tmp_path_factory.mktemp("eeca") / "lively")


@pytest.fixture(scope="session")
def asked_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build whose `dataset` is finished: ten test questions. Do not change it."""
    from hub_build import write_build

    from mgld.hub import export_dataset

    build = write_build(tmp_path_factory.mktemp("asked") / "build")
    export_dataset(build, build / "dataset")
    return build
