"""lmms-eval in its own environment, and a dataset to ask about."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lmms_data import ROOT, coloured


@pytest.fixture(scope="session")
def harness() -> Path:
    """The programs of the environment that lmms-eval is in."""
    programs = ROOT / ".venv-lmms" / "bin"
    if not (programs / "lmms-eval").is_file():
        pytest.skip("lmms-eval is not here: `make lmms` puts it into .venv-lmms")
    return programs


@pytest.fixture(scope="session")
def harness_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Offline, with caches of its own, and with the scripted model installed."""
    folder = tmp_path_factory.mktemp("lmms")
    info = folder / "site" / "lmms_scripted-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lmms-scripted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lmms_eval.models]\nscripted=lmms_scripted:MANIFEST\n")
    paths = (ROOT, Path(__file__).parent, folder / "site")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


@pytest.fixture
def hub_env(harness_env: dict[str, str], build: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A Hub on loopback instead, that has the dataset as me/mgld, tagged v1."""
    from hub_server import HubServer

    with HubServer() as hub:
        env = {**hub.env(tmp_path / "hf"), "PYTHONPATH": harness_env["PYTHONPATH"]}
        mgld = [sys.executable, "-c", "from mgld.cli import main; main()"]
        push = [*mgld, "push", build, "me/mgld", "--revision-tag", "v1"]
        subprocess.run(push, env=env, check=True, capture_output=True)
        yield {**env, "CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder with ten test questions, whose images are red, green and blue in turn."""
    from hub_build import write_build

    from mgld.hub import export_dataset

    made = write_build(
        tmp_path_factory.mktemp("lmms-data") / "build", image=coloured, licensed=True, sizes=[10]
    )
    export_dataset(made, made / "dataset")
    return made
