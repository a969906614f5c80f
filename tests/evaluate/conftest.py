"""A dataset with ten test questions, and a model that an installed package brings."""

from __future__ import annotations

from pathlib import Path

import pytest
from answer_data import install_plugin
from hub_build import write_build


@pytest.fixture(scope="session")
def answer_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder whose `dataset` is finished. Do not change it."""
    from mgld.hub import export_dataset

    build = write_build(tmp_path_factory.mktemp("answers") / "build")
    export_dataset(build, build / "dataset")
    return build


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_plugin(tmp_path_factory.mktemp("site"))


@pytest.fixture
def plugin(plugin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model `plain:` is installed."""
    monkeypatch.syspath_prepend(str(plugin_folder))
    return plugin_folder
