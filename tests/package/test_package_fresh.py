"""The wheel in an environment made from nothing, as a user makes one: minutes and 5 GB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from package_alone import run
from package_files import ROOT
from uv import find_uv_bin

import mgld

# Not those of mgld.integrations: the harness that loads one brings what it imports.
IMPORT_ALL = """
import importlib, pkgutil
import eeca_ref, mgld
found = [each.name for package in (mgld, eeca_ref)
         for each in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
names = [name for name in found if not name.startswith("mgld.integrations.")]
names = [name for name in names if not name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_installed_alone_it_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [find_uv_bin(), "venv", "--python", sys.executable, python.parents[1]], check=True
    )
    install = [find_uv_bin(), "pip", "install", "--python", str(python)]
    constraint = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([*install, *constraint, str(wheel)], check=True)
    bare = run(python, "-W", "error", "-c", "import mgld; print(mgld.__version__)", cwd=tmp_path)
    assert (bare.returncode, bare.stdout.strip(), bare.stderr) == (0, mgld.__version__, "")
    done = run(python.parent / "mgld", "demo", cwd=tmp_path)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "demo" / "report.html").is_file()
    every = run(python, "-c", IMPORT_ALL, cwd=tmp_path)
    assert every.returncode == 0, every.stderr
    missing = run(python.parent / "eeca", "train", "nano/stage1_pretrain", cwd=tmp_path)
    assert missing.returncode == 1
    assert "install mgld with its extra `train`" in missing.stderr
