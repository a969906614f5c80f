"""What the code imports is declared: in the base dependencies, or in the extra that it is for."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from package_files import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = {"mgld", "eeca_ref"}
EXTRAS = {"eeca_ref": ["train"], "mgld": ["ray"]}
"""Of each package, the extras whose packages its functions may import."""
BY_OTHERS = {
    "wandb": "of the recipe's user: log.wandb",
    "llvmlite": "numba's own, of one version with it",
    "markupsafe": "jinja2's own",
    "pydantic_core": "pydantic's own",
    "triton": "torch's own, where it is one for a GPU",
}
"""Imported, not declared, and why that is right."""


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(each).name) for each in requirements}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name.split(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", sorted(OURS))
def test_what_is_imported_is_declared(package: str) -> None:
    declared = names(PROJECT["dependencies"])
    for extra in EXTRAS[package]:
        declared |= names(PROJECT["optional-dependencies"][extra])
    known = packages_distributions()
    undeclared = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in (ROOT / package).rglob("*.py")
        if "integrations" not in path.parts  # a harness imports those, and brings what they import
        for module in imported(path)
        if module not in OURS | set(BY_OTHERS) | sys.stdlib_module_names
        if not {canonicalize_name(each) for each in known.get(module, [module])} & declared
    }
    assert undeclared == set()


def test_what_is_declared_is_imported() -> None:
    known = packages_distributions()
    used = {
        canonicalize_name(each)
        for package in OURS
        for path in (ROOT / package).rglob("*.py")
        for module in imported(path)
        for each in known.get(module, [])
    }
    assert names(PROJECT["dependencies"]) - used == set()
