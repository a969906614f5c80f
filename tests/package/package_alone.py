"""An environment that holds a wheel, the base dependencies it declares, and nothing else.

A fresh installation of torch takes gigabytes and minutes. Here the packages of the environment
that runs the tests are linked into a new one, but only those that the wheel's metadata asks for,
directly or through another package: what is not declared cannot be imported. The true fresh
installation is in test_package_fresh.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path

from package_files import metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from uv import find_uv_bin


def environment_of(wheel: Path, folder: Path) -> Path:
    """Make the environment in `folder`; returns the folder of its programs."""
    command = [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(folder)]
    subprocess.run(command, check=True)
    packages = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    for name in needed(metadata(wheel)["Requires-Dist"]):
        _link(name, packages)
    install = [find_uv_bin(), "pip", "install", "--quiet", "--offline", "--no-deps", "--python"]
    subprocess.run([*install, str(folder / "bin" / "python"), str(wheel)], check=True)
    return folder / "bin"


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program as a user would: no variable of ours leads it to this checkout."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment = kept | {"COLUMNS": "100", "HF_HUB_OFFLINE": "1"}
    words = [str(word) for word in command]
    return subprocess.run(
        words, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def needed(requirements: list[str]) -> set[str]:
    """Names of all distributions that the requirements need here, without extras of ours."""
    found: set[tuple[str, str]] = set()
    todo = [(Requirement(text), "") for text in requirements]
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in found:
                found.add((name, wanted))
                todo += [(Requirement(text), wanted) for text in distribution(name).requires or []]
    return {name for name, _ in found}


def _link(name: str, packages: Path) -> None:
    """Link what the distribution `name` has in this environment's site-packages into `packages`."""
    files = distribution(name).files
    assert files is not None, name
    for top in {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}:
        source = Path(str(distribution(name).locate_file(top)))
        target = packages / top
        if source.exists() and not target.is_symlink():  # two may share a folder, as nvidia's do
            target.symlink_to(source)
