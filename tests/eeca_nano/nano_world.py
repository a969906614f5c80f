"""A small world and its build, made once for a file of tests."""

from __future__ import annotations

from pathlib import Path

from mgld.build import BuildConfig, build_dataset
from mgld.world import write_world


def make_build(folder: Path, *, landmarks: int) -> Path:
    """`folder/world`, and its build with the nano encoder in `folder/build`, which is returned."""
    write_world(folder / "world", landmarks=landmarks, workers=1)
    config = BuildConfig(source=str(folder / "world"), encoder="nano", threads=1)
    build_dataset(config, folder / "build", workers=1)
    return folder / "build"
