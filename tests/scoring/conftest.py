"""Fixtures: a dataset folder, a build folder, and an encoder one can check by hand."""

import pytest
from scoring_folders import ColourEncoder, write_build, write_dataset


@pytest.fixture
def colour_encoder(monkeypatch):
    """`load_encoder` gives a ColourEncoder, whatever is asked for."""
    import mgld.vision

    monkeypatch.setattr(mgld.vision, "load_encoder", lambda spec, *, device=None: ColourEncoder())


@pytest.fixture
def dataset_folder(tmp_path, monkeypatch):
    """See `write_dataset`; what `datasets` caches stays in the test's folder."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return write_dataset(tmp_path / "dataset")


@pytest.fixture
def build_folder(tmp_path):
    """See `write_build`."""
    return write_build(tmp_path / "build")


@pytest.fixture(scope="session")
def nano_build(tmp_path_factory):
    """A real build of twelve landmarks with the embedded encoder. Do not change it."""
    from mgld.build import build_dataset, load_config

    root = tmp_path_factory.mktemp("nano") / "build"
    config = {"source": "world:12", "encoder": "nano", "sizes": [4], "test_size": 4}
    build_dataset(load_config(None, config), root)
    return root
