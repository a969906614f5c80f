"""Two builds and their pages: a small world, and photographs whose metadata is hostile."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fake_build import fake_build
from hostile_source import write_hostile_source

from mgld.report import write_report
from mgld.world import write_world

for folder in ("llm", "hub"):  # the loopback endpoint, `openai_server`; a build made by hand
    sys.path.append(str(Path(__file__).parents[1] / folder))


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


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """A graded run of 40 questions. Do not change it."""
    from graded_run import plain_run

    return plain_run(tmp_path_factory.mktemp("run") / "run")


@pytest.fixture(scope="session")
def run_page(run_folder, tmp_path_factory):
    """The page of its evaluation."""
    from mgld.report.evaluation import write_evaluation_report

    path = tmp_path_factory.mktemp("page") / "evaluation.html"
    write_evaluation_report(run_folder, None, path)
    return path


@pytest.fixture(scope="session")
def hostile_run_page(tmp_path_factory):
    """The page of a run in which every text attacks."""
    from graded_run import hostile_run

    from mgld.report.evaluation import write_evaluation_report

    folder = hostile_run(tmp_path_factory.mktemp("run") / "hostile")
    path = tmp_path_factory.mktemp("page") / "hostile-evaluation.html"
    write_evaluation_report(folder, None, path)
    return path


@pytest.fixture(scope="session")
def pictured_run(tmp_path_factory):
    """A run on a dataset of ten questions that have pictures, judged by the rule."""
    from graded_run import pictured_run

    return pictured_run(tmp_path_factory.mktemp("pictured"))


@pytest.fixture(scope="session")
def pictured_page(pictured_run, tmp_path_factory):
    """The page of its evaluation, with pictures."""
    from mgld.report.evaluation import write_evaluation_report

    path = tmp_path_factory.mktemp("page") / "pictured.html"
    write_evaluation_report(pictured_run, None, path, images=True)
    return path


@pytest.fixture(scope="session")
def probe_folder(tmp_path_factory):
    """A finished probe of three subsets, two of them nested. Do not change it."""
    from probed import plain_probe

    return plain_probe(tmp_path_factory.mktemp("probe"))


@pytest.fixture(scope="session")
def probe_page(probe_folder, tmp_path_factory):
    """Its page."""
    from mgld.report.probe import write_probe_report

    path = tmp_path_factory.mktemp("page") / "probe.html"
    write_probe_report(probe_folder, path)
    return path


@pytest.fixture(scope="session")
def hostile_probe_page(tmp_path_factory):
    """The page of a probe in which every text attacks."""
    from probed import hostile_probe

    from mgld.report.probe import write_probe_report

    path = tmp_path_factory.mktemp("page") / "hostile-probe.html"
    write_probe_report(hostile_probe(tmp_path_factory.mktemp("hostile-probe")), path)
    return path
