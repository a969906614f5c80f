"""What is in the sdist and the wheel, and what their metadata says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import yaml
from package_files import ROOT, build, metadata, sdist_names, wheel_files
from packaging.metadata import Metadata
from trove_classifiers import classifiers

import mgld

PACKAGES = ("mgld", "eeca_ref")
KINDS = {".css", ".gz", ".html", ".js", ".json", ".md", ".py", ".safetensors", ".sql", ".typed"}
KINDS |= {".jinja", ".yaml"}
MOST_BYTES = 20_000_000


def in_checkout() -> set[str]:
    found = {path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()}
    return {
        path.relative_to(ROOT).as_posix()
        for path in found
        if "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


def test_wheel_has_both_packages_whole_and_nothing_else(wheel: Path) -> None:
    names = {name for name in wheel_files(wheel) if ".dist-info/" not in name}
    assert names == in_checkout()
    assert {Path(name).suffix for name in names} <= KINDS
    assert {"mgld/py.typed", "eeca_ref/py.typed"} <= names
    assert wheel.stat().st_size <= MOST_BYTES


def test_files_that_the_code_reads_are_there(wheel: Path) -> None:
    names = set(wheel_files(wheel))
    for one in (
        "mgld/annotate/prompts/qa.md",
        "mgld/evaluate/prompts/judge_paper.md",
        "mgld/evaluate/rule/words/places.yaml",
        "mgld/hub/templates/dataset_card.md",
        "mgld/llm/ledger_schema.sql",
        "mgld/llm/prices.yaml",
        "mgld/report/templates/page.html",
        "mgld/vision/nano/open_clip_model.safetensors",
        "eeca_ref/nano/llama/chat_template.jinja",
        "eeca_ref/nano/llama/model.safetensors",
        "eeca_ref/recipes/paper.yaml",
        "eeca_ref/templates/audit.html",
    ):
        assert one in names


def test_sdist_has_the_packages_and_what_goes_with_them(
    distributions: tuple[Path, Path], wheel: Path
) -> None:
    names = sdist_names(distributions[0])
    beside = {"README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "pyproject.toml", "PKG-INFO"}
    assert names - in_checkout() == beside | {".gitignore"}  # hatchling takes the last one along
    assert in_checkout() <= names
    assert distributions[0].stat().st_size <= MOST_BYTES


def test_the_licence_is_in_the_wheel(wheel: Path) -> None:
    files = wheel_files(wheel)
    (name,) = (each for each in files if each.endswith(".dist-info/licenses/LICENSE"))
    assert files[name] == (ROOT / "LICENSE").read_bytes()
    fields = metadata(wheel)
    assert fields["License-Expression"] == ["Apache-2.0"]
    assert fields["License-File"] == ["LICENSE"]


def test_metadata_is_valid(wheel: Path) -> None:
    files = wheel_files(wheel)
    (name,) = (each for each in files if each.endswith(".dist-info/METADATA"))
    found = Metadata.from_email(files[name], validate=True)  # raises where a field is not
    assert found.name == "mgld"
    assert found.description_content_type == "text/markdown"
    assert (found.description or "").strip() == (ROOT / "README.md").read_text("utf-8").strip()
    assert set(found.classifiers or []) <= classifiers
    assert not found.project_urls  # nothing is published yet


def test_the_tested_python_is_the_one_named(wheel: Path) -> None:
    head = (ROOT / "constraints.txt").read_text("utf-8").split("\n")[0]
    tested = re.findall(r"Python (3\.\d+)", head)
    minor = re.compile(r"Programming Language :: Python :: (3\.\d+)")
    named = [m[1] for each in metadata(wheel)["Classifier"] if (m := minor.fullmatch(each))]
    assert named == tested


def test_there_is_one_version(wheel: Path) -> None:
    assert metadata(wheel)["Version"] == [mgld.__version__]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == mgld.__version__
    changes = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert changes[0] == mgld.__version__
    written = [
        path
        for path in [ROOT / "pyproject.toml", *(ROOT / name for name in in_checkout())]
        if path.suffix in (".py", ".toml") and f'"{mgld.__version__}"' in path.read_text("utf-8")
    ]
    assert written == [ROOT / "mgld" / "__init__.py"]


def test_building_again_gives_the_same_bytes(
    distributions: tuple[Path, Path], tmp_path: Path, monkeypatch
) -> None:
    assert "SOURCE_DATE_EPOCH" not in os.environ
    again = build(tmp_path)
    assert [path.name for path in again] == [path.name for path in distributions]
    for one, other in zip(again, distributions, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
