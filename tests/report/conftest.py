"""Two builds and their pages: a small world, and photographs whose metadata is hostile."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fake_build import fake_build
from hostile_source import write_hostile_source

from mgld.report import write_report
from mgld.world import write_world

sys.path.append(str(Path(__file__).parents[1] / "llm"))  # the loopback endpoint, `openai_server`


@pytest.fixture(scope="session")
def world_build(tmp_path_factory):
    """A fake build of a procedural world of 36 landmarks."""
    root = tmp_path_factory.mktemp("world")
    write_world(root / "source", landmarks=36, workers=1)
    return fake_build(root / "source", root / "build")


@pytest.fixture(scope="session")
def hostile_build(tmp_path_factory):
    """A fake build of twelve landmarks with names, labels, authors and addresses that attack."""
    root = tmp_path_factory.mktemp("hostile")
    write_hostile_source(root / "source")
    return fake_build(root / "source", root / "build")


@pytest.fixture(scope="session")
def world_page(world_build, tmp_path_factory):
    """The report of the world's build."""
    path = tmp_path_factory.mktemp("page") / "world.html"
    write_report(world_build, path)
    return path


@pytest.fixture(scope="session")
def hostile_page(hostile_build, tmp_path_factory):
    """The report of the hostile build."""
    path = tmp_path_factory.mktemp("page") / "hostile.html"
    write_report(hostile_build, path)
    return path


@pytest.fixture(scope="session")
def asked_build(tmp_path_factory):
    """A real build of the hostile source, annotated by a model that echoes it and often fails."""
    from hostile_model import hostile_model_build

    return hostile_model_build(tmp_path_factory.mktemp("asked"))


@pytest.fixture(scope="session")
def asked_page(asked_build, tmp_path_factory):
    """The page of its annotations."""
    from mgld.report.annotations import write_annotations

    path = tmp_path_factory.mktemp("page") / "annotations.html"
    write_annotations(asked_build, path)
    return path
